import { HEADER } from "@perdure/core/protocol";
import type { Store } from "../commands/store.ts";
import { within } from "../delivery/within.ts";
import { createLock, tokenOf } from "../http/auth.ts";
import { pathOf } from "../http/path.ts";
import type { Bindings } from "../http/service.ts";
import type { Api } from "./listen.ts";
import type { Metrics } from "./metrics.ts";

export interface OperationsOptions {
  readonly api: Api;
  /** The engine is ready when all of these stores answer. */
  readonly stores: readonly Store[];
  readonly metrics: Metrics;
  /** Without a token the engine serves no metrics. */
  readonly metricsToken: string | undefined;
}

/** The API of an engine in production, with the health and metrics routes for its operators. */
export interface Operations {
  readonly fetch: Api;
  /** Makes the API refuse all requests, except those that runs in progress depend on. */
  drain(): void;
}

export function createOperations(options: OperationsOptions): Operations {
  const { api, stores, metrics, metricsToken } = options;
  const ready = createReadiness(stores);
  const lock = createLock({ full: metricsToken === undefined ? [] : [metricsToken], readOnly: [] });
  let draining = false;
  const scrape = async (request: Request): Promise<Response> => {
    if (metricsToken === undefined)
      return refuse(404, "there are no metrics: start the engine with --metrics-token");
    if (lock(tokenOf(request) ?? "") !== "full")
      return refuse(401, "unauthorized: the metrics have a token of their own");
    return metrics.render();
  };
  const call = async (request: Request, bindings: Bindings): Promise<Response> => {
    const answer =
      draining && !isOfWork(request, bindings)
        ? refuse(503, "the engine is shutting down", RETRY)
        : await api(request, bindings);
    metrics.answered(answer.status);
    if (answer.status === 503) ready.forget();
    if (draining) answer.headers.set("Connection", "close");
    return answer;
  };
  return {
    drain() {
      draining = true;
    },
    async fetch(request, bindings) {
      switch (pathOf(request, bindings)) {
        case "/health":
          return Response.json({ status: "ok" });
        case "/ready":
          if (draining) return refuse(503, "the engine is shutting down");
          return (await ready.ask())
            ? Response.json({ status: "ready" })
            : refuse(503, "nothing can be stored", RETRY);
        case "/metrics":
          return scrape(request);
        default:
          return call(request, bindings);
      }
    },
  };
}

const RETRY = { "Retry-After": "5" };

/** The routes by which endpoints record running steps and runs come to their end. */
const OF_WORK = /^\/v2\/(batch$|wait\/|notify\/|workflows\/(runs\/[^/]+$|append$))/;

function isOfWork(request: Request, bindings: Bindings): boolean {
  return OF_WORK.test(pathOf(request, bindings)) || request.headers.has(HEADER.runId);
}

/** Milliseconds for which a result stays valid: any client may ask, and each check writes to the disk. */
const READY_FOR = 1000;

/** Milliseconds after which a check without a result counts as failed: a frozen server or disk answers much later, or never. */
const READY_WITHIN = 1000;

interface Readiness {
  /** Checks that the engine can write to all stores. The answer needs no token, so it hides the reason of a failure. */
  ask(): Promise<boolean>;
  /** Drops the last result, because the engine could not do something. */
  forget(): void;
}

/** A check of all stores. */
interface Check {
  readonly ready: Promise<boolean>;
  /** When its result becomes too old, by `performance.now()`. Undefined while it is in progress. */
  until?: number;
}

function createReadiness(stores: readonly Store[]): Readiness {
  let latest: Check | undefined;
  const check = (): Check => {
    const probes = Promise.all(stores.map((store) => store.probe()));
    const begun: Check = {
      ready: probes.then(
        () => true,
        () => false,
      ),
    };
    void begun.ready.then(() => {
      begun.until = performance.now() + READY_FOR;
    });
    return begun;
  };
  return {
    async ask() {
      // One check at a time: each takes a connection, which a frozen server doesn't give back.
      if (!latest || (latest.until !== undefined && latest.until <= performance.now())) latest = check();
      return (await within(latest.ready, READY_WITHIN)) ?? false;
    },
    forget() {
      if (latest?.until !== undefined) latest = undefined;
    },
  };
}

function refuse(status: number, error: string, headers: Record<string, string> = {}): Response {
  return Response.json({ error }, { status, headers });
}
