import { toText } from "../rules/bytes.ts";
import { type Command, isStep, parseCommand, parseTrigger, parseUrlGroupPublish } from "../rules/command.ts";
import { EngineError } from "../rules/engine-error.ts";
import type { PublishRequest } from "../rules/new-message.ts";
import type { OptionLimits } from "../rules/options.ts";
import type { QueueLimits } from "../rules/queue.ts";
import { isScheduled, type ScheduleLimits } from "../rules/schedule.ts";
import { isUrlGroupName, unknownDestination } from "../rules/url-group.ts";
import type { Receipt } from "../store/receipt.ts";
import { acceptEach } from "./accept-each.ts";
import type { Store } from "./store.ts";

/** The limits above which the engine refuses a request. */
export type PublishLimits = OptionLimits & QueueLimits & ScheduleLimits;

/** The result of a request to publish that creates no schedule. */
export type PublishedMessages =
  | { readonly kind: "message"; readonly receipt: Receipt }
  /** One message for each endpoint of the URL group, in their order. */
  | { readonly kind: "group"; readonly receipts: readonly Receipt[] };

/** The result of a request to publish. */
export type Published = PublishedMessages | { readonly kind: "schedule"; readonly id: string };

/** The commands that a request becomes. */
export interface ResolvedRequest {
  readonly kind: "message" | "group";
  readonly commands: readonly Command[];
}

/**
 * Publishes to a URL or to a URL group, starts a run, adds to one, or creates a schedule: the request's headers say which.
 * A large URL group takes several transactions.
 *
 * @throws EngineError that names the field; `not_found` for a URL group that isn't there
 */
export async function publishRequest(
  store: Pick<Store, "accept" | "findUrlGroup" | "createSchedule">,
  request: PublishRequest,
  limits: PublishLimits,
): Promise<Published> {
  if (isScheduled(request.headers))
    return { kind: "schedule", id: await store.createSchedule(request, limits) };
  const { kind, commands } = await resolveRequest(store, request, limits);
  if (kind === "message") {
    const [receipt] = await store.accept(commands, limits);
    return { kind, receipt: receipt as Receipt };
  }
  const outcomes = await acceptEach(store, commands, limits);
  return { kind, receipts: outcomes.map(orThrow) };
}

/**
 * Starts a run for a client that knows nothing of runs: the engine asks the endpoint to configure it.
 *
 * @throws EngineError that names the field
 */
export async function triggerRun(
  store: Pick<Store, "accept">,
  request: PublishRequest,
  limits: PublishLimits,
): Promise<Receipt> {
  const [receipt] = await store.accept([parseTrigger(request, limits)], limits);
  return receipt as Receipt;
}

/**
 * @param admit called with the number of messages, before the engine makes them
 * @throws EngineError that names the field; `not_found` for a URL group that isn't there
 */
export async function resolveRequest(
  store: Pick<Store, "findUrlGroup">,
  request: PublishRequest,
  limits: OptionLimits,
  admit: (messages: number) => void = () => {},
): Promise<ResolvedRequest> {
  const { destination } = request;
  const urlGroup = isUrlGroupName(destination) ? await store.findUrlGroup(destination) : undefined;
  admit(urlGroup?.endpoints.length ?? 1);
  if (!isUrlGroupName(destination))
    return { kind: "message", commands: [parseCommand(await withJson(request), limits)] };
  if (!urlGroup) throw unknownDestination(destination);
  return { kind: "group", commands: parseUrlGroupPublish(request, urlGroup, limits) };
}

/** Bytes of a step's record above which parsing and storing it are turns of their own. */
const LARGE_RECORD = 256 * 1024;

/** A request whose body is a large record, with its value as JSON. */
async function withJson(request: PublishRequest): Promise<PublishRequest> {
  if (request.body.length < LARGE_RECORD || !isStep(request.headers)) return request;
  await nextTurn();
  const text = toText(request.body);
  await nextTurn();
  try {
    return { ...request, json: { value: JSON.parse(text) } };
  } catch {
    return request; // The command reads it as a record, and its error names the fault.
  } finally {
    await nextTurn();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The store accepts either all messages to one group or none. */
function orThrow(outcome: Receipt | EngineError): Receipt {
  if (outcome instanceof EngineError) throw outcome;
  return outcome;
}
