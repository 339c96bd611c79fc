import { HEADER } from "@perdure/core/protocol";
import type { Store } from "../commands/store.ts";
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
  /** Without one there are no metrics. */
  readonly metricsToken: string | undefined;
}

/** The API of an engine in production, with what its operators ask for beside it. */
export interface Operations {
  readonly fetch: Api;
  /** From now on it takes only what the work that is under way needs. */
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
          return (await ready())
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

/** By these, steps that are being carried out are recorded, and runs come to their end. */
const OF_WORK = /^\/v2\/(batch$|wait\/|notify\/|workflows\/(runs\/[^/]+$|append$))/;

function isOfWork(request: Request, bindings: Bindings): boolean {
  return OF_WORK.test(pathOf(request, bindings)) || request.headers.has(HEADER.runId);
}

/** Milliseconds for which an answer holds. Anybody may ask, and each asking writes to the disk. */
const READY_FOR = 1000;

/** Says whether all stores can be written. Why one can't be is nothing for those who ask without a token. */
function createReadiness(stores: readonly Store[]): () => Promise<boolean> {
  let latest: { readonly at: number; readonly ready: Promise<boolean> } | undefined;
  return () => {
    const now = performance.now();
    if (latest && now - latest.at < READY_FOR) return latest.ready;
    const probes = Promise.all(stores.map((store) => store.probe()));
    const ready = probes.then(
      () => true,
      () => false,
    );
    latest = { at: now, ready };
    return ready;
  };
}

function refuse(status: number, error: string, headers: Record<string, string> = {}): Response {
  return Response.json({ error }, { status, headers });
}
