import { isGuarded, refusalOf } from "./border/authorize.ts";
import { read } from "./border/mail.ts";
import { respond } from "./border/respond.ts";
import { type Border, type BorderOptions, checkUrls, type Env, settle } from "./border/settings.ts";
import { failure } from "./deliveries/failure.ts";
import { resume } from "./deliveries/resume.ts";
import type { Served, Visit } from "./deliveries/room.ts";
import { start } from "./deliveries/start.ts";
import { WorkflowError } from "./kernel/errors.ts";
import { classify } from "./protocol/delivery.ts";
import type { Outcome } from "./protocol/outcome.ts";
import {
  type FailureFunction,
  type PayloadOptions,
  payloadParser,
  type WorkflowFunction,
} from "./workflow.ts";

/** How a workflow is served. Everything is optional: what isn't given comes from the environment. */
export type ServeOptions<Payload = unknown> = BorderOptions &
  PayloadOptions<Payload> & {
    /** Called when a run has failed for good, whatever failed it and however it was started. */
    readonly failureFunction?: FailureFunction<Payload>;
    /**
     * Retries of each delivery of a run that a plain POST, a published message or a schedule has started.
     * `Client.trigger` brings its own. Default: the engine's, 3.
     */
    readonly retries?: number;
    /** Largest body that is read, in bytes. Default: 64 MiB. */
    readonly bodyLimit?: number;
  };

/** Answers a request. @param env the platform's environment, where it isn't `process.env` */
export type Handler = (request: Request, env?: Env) => Promise<Response>;

const BODY_LIMIT = 64 * 1024 * 1024;

/**
 * Makes the endpoint of a workflow: one handler for all that an engine, or somebody who starts a run, sends to it.
 *
 * @throws TypeError for options that can't be obeyed
 */
export function serve<Payload = unknown, Result = unknown>(
  workflow: WorkflowFunction<Payload, Result>,
  options: ServeOptions<Payload> = {},
): { handler: Handler } {
  const served: Served = {
    workflow: workflow as WorkflowFunction,
    failureFunction: options.failureFunction as FailureFunction | undefined,
    parsePayload: payloadParser(options as PayloadOptions<unknown>),
    runOptions: options.retries === undefined ? {} : { retries: options.retries },
  };
  checkUrls(options);
  const limit = options.bodyLimit ?? BODY_LIMIT;
  const borderOf = remember((env: Env | undefined) => settle(options, env));
  return { handler: (request, env) => receive(request, limit, served, () => borderOf(env)) };
}

async function receive(
  request: Request,
  limit: number,
  served: Served,
  borderOf: () => Border,
): Promise<Response> {
  let trusted = false;
  try {
    const mail = await read(request, limit);
    if ("kind" in mail) return respond(mail, trusted);
    const delivery = classify(mail.headers);
    const border = borderOf();
    const refusal = await refusalOf(border.door, mail, delivery);
    if (refusal) return respond(refusal, trusted);
    trusted = isGuarded(border.door);
    return respond(await handle({ served, border, mail, delivery }), trusted);
  } catch (error) {
    return respond(fault(error), trusted);
  }
}

function handle(visit: Visit): Promise<Outcome> {
  const { delivery } = visit;
  switch (delivery.kind) {
    case "start":
      return start({ ...visit, delivery });
    case "resume":
      return resume({ ...visit, delivery });
    case "failure":
      return failure({ ...visit, delivery });
    case "callResult":
      throw new WorkflowError(
        "protocol_mismatch",
        "The request brings the result of a call step, which this workflow can't have.",
      );
    default:
      return delivery satisfies never;
  }
}

/** What was thrown on the way, and not by a step: a request that can't be read is refused, all else is a failed attempt. */
function fault(error: unknown): Outcome {
  const malformed = error instanceof WorkflowError && error.code === "malformed_body";
  return malformed ? { kind: "refused", status: 400, error } : { kind: "failed", error };
}

function remember(make: (env: Env | undefined) => Border): (env: Env | undefined) => Border {
  const known = new WeakMap<object, Border>();
  let own: Border | undefined;
  return (env) => {
    if (!env) {
      own ??= make(undefined);
      return own;
    }
    const border = known.get(env) ?? make(env);
    known.set(env, border);
    return border;
  };
}
