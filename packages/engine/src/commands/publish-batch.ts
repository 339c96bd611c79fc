import { LOWERCASE_HEADER } from "@perdure/core/protocol";
import { belongsToLiveRun, type Command, parseTrigger, type StartRun } from "../rules/command.ts";
import { EngineError } from "../rules/engine-error.ts";
import type { PublishRequest } from "../rules/new-message.ts";
import type { Receipt } from "../store/receipt.ts";
import { createTimeSlices } from "../store/time-slices.ts";
import { acceptEach } from "./accept-each.ts";
import {
  type PublishedMessages,
  type PublishLimits,
  type ResolvedRequest,
  resolveRequest,
} from "./publish-request.ts";
import type { Store } from "./store.ts";

/** One request of a batch. */
export interface BatchItem {
  /** Its options, also when the item can't be read. Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** @throws EngineError that names the field */
  read(): PublishRequest;
}

/** The limits above which the engine refuses a batch, or an item of it. */
export type BatchLimits = PublishLimits & {
  /** The most messages of a batch. */
  readonly batchItems: number;
};

/**
 * Publishes many requests. The error of a faulty item comes in its place, and the others proceed. Where runs are concerned,
 * clients look no further than the status: a fault in an item that belongs to a live run is a fault of the whole batch, and
 * so is it when items start runs and none of them can proceed.
 *
 * @throws EngineError `too_large` for items that become more messages than a batch may have
 */
export async function publishBatch(
  store: Pick<Store, "accept" | "findUrlGroup">,
  items: readonly BatchItem[],
  limits: BatchLimits,
): Promise<(PublishedMessages | EngineError)[]> {
  const resolved = await resolveItems(store, items, limits);
  const proceeding = resolved.filter((one): one is ResolvedRequest => !(one instanceof EngineError));
  if (proceeding.length === 0 && items.some(({ headers }) => headers.has(INIT)))
    throw resolved.find((one) => one instanceof EngineError);
  const published = (await acceptAll(store, proceeding, limits)).values();
  return resolved.map((one) =>
    one instanceof EngineError ? one : (published.next().value as PublishedMessages),
  );
}

/** Starts many runs, as `triggerRun` does one. The error of a faulty item comes in its place. */
export async function triggerBatch(
  store: Pick<Store, "accept">,
  items: readonly BatchItem[],
  limits: BatchLimits,
): Promise<(Receipt | EngineError)[]> {
  const pause = createTimeSlices();
  const read: (StartRun | EngineError)[] = [];
  for (const item of items) {
    await pause();
    read.push(readTrigger(item, limits));
  }
  const commands = read.filter((one): one is StartRun => !(one instanceof EngineError));
  const outcomes = (await acceptEach(store, commands, limits)).values();
  return read.map((one) => (one instanceof EngineError ? one : (outcomes.next().value as Receipt)));
}

const INIT = LOWERCASE_HEADER.init;

async function resolveItems(
  store: Pick<Store, "findUrlGroup">,
  items: readonly BatchItem[],
  limits: BatchLimits,
): Promise<(ResolvedRequest | EngineError)[]> {
  const pause = createTimeSlices();
  const resolved: (ResolvedRequest | EngineError)[] = [];
  let room = limits.batchItems;
  const admit = (messages: number): void => {
    if (messages > room) throw tooMany(limits);
  };
  for (const item of items) {
    await pause();
    const one = await resolveItem(item, (request) => resolveRequest(store, request, limits, admit));
    resolved.push(one);
    if (!(one instanceof EngineError)) room -= one.commands.length;
  }
  return resolved;
}

async function resolveItem(
  item: BatchItem,
  resolve: (request: PublishRequest) => Promise<ResolvedRequest>,
): Promise<ResolvedRequest | EngineError> {
  try {
    return await resolve(item.read());
  } catch (error) {
    if (error instanceof EngineError && error.code !== "too_large" && !belongsToLiveRun(item.headers))
      return error;
    throw error;
  }
}

function tooMany({ batchItems: limit }: BatchLimits): EngineError {
  return new EngineError(
    "too_large",
    `the batch becomes more than ${limit} messages, counting one for each endpoint of a url group; send several smaller requests`,
    { limit },
  );
}

function readTrigger(item: BatchItem, limits: BatchLimits): StartRun | EngineError {
  try {
    return parseTrigger(item.read(), limits);
  } catch (error) {
    if (error instanceof EngineError) return error;
    throw error;
  }
}

/** Commands that belong to a live run are stored in one transaction; others don't depend on each other. */
async function acceptAll(
  store: Pick<Store, "accept">,
  requests: readonly ResolvedRequest[],
  limits: BatchLimits,
): Promise<(PublishedMessages | EngineError)[]> {
  const commands = requests.flatMap((one) => one.commands);
  const outcomes = commands.every(standsAlone)
    ? await acceptEach(store, commands, limits)
    : await store.accept(commands, limits);
  let taken = 0;
  return requests.map((one) => {
    const own = outcomes.slice(taken, taken + one.commands.length);
    taken += own.length;
    const error = own.find((outcome) => outcome instanceof EngineError);
    return error ?? toPublished(one, own as Receipt[]);
  });
}

function toPublished({ kind }: ResolvedRequest, receipts: readonly Receipt[]): PublishedMessages {
  return kind === "group" ? { kind, receipts } : { kind, receipt: receipts[0] as Receipt };
}

/** Whether the item is independent of everything that is stored already. */
function standsAlone(command: Command): boolean {
  if (command.kind === "start") return !command.configuresRun && command.run.invoker === undefined;
  return command.kind === "message";
}
