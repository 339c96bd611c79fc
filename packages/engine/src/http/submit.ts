import type { Command } from "../rules/command.ts";
import { EngineError } from "../rules/engine-error.ts";
import type { PublishRequest } from "../rules/new-message.ts";
import type { Receipt } from "../store/receipt.ts";
import type { Input, None, Output } from "./route.ts";
import type { published } from "./schemas.ts";
import type { Service } from "./service.ts";

/** A request to publish, to a destination that its path names. */
export function toPublishRequest(
  destination: string,
  { headers, body, callerIp, now }: Input<None, None, Uint8Array>,
): PublishRequest {
  return { destination, headers, body, callerIp, now };
}

/** Stores commands: all of them, or none. */
export function submit(commands: readonly Command[], { store, limits }: Service): Promise<Receipt[]> {
  return store.accept(commands, limits);
}

/** Messages and bytes that are stored in one transaction: a few milliseconds' work, for which all else has to wait. */
const SLICE = { count: 64, bytes: 1024 * 1024 };

/**
 * As {@link submit}, for what doesn't depend on each other: in several transactions, between which others have their
 * turns. The store's refusal of one comes in its place.
 */
export async function submitEach(
  commands: readonly Command[],
  service: Service,
): Promise<(Receipt | EngineError)[]> {
  const outcomes: (Receipt | EngineError)[] = [];
  for (const slice of toSlices(commands)) {
    await new Promise((resolve) => setImmediate(resolve));
    outcomes.push(...(await submitSlice(slice, service)));
  }
  return outcomes;
}

/** As {@link submitEach}. @throws the store's first refusal: what it refuses of messages to one group, it refuses of all */
export async function submitAll(commands: readonly Command[], service: Service): Promise<Receipt[]> {
  return (await submitEach(commands, service)).map((outcome) => {
    if (outcome instanceof EngineError) throw outcome;
    return outcome;
  });
}

async function submitSlice(
  slice: readonly Command[],
  service: Service,
): Promise<readonly (Receipt | EngineError)[]> {
  try {
    return await submit(slice, service);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    if (slice.length === 1) return [error];
  }
  return (await Promise.all(slice.map((one) => submitSlice([one], service)))).flat();
}

function toSlices(commands: readonly Command[]): Command[][] {
  const slices: Command[][] = [];
  let [count, bytes] = [0, 0];
  for (const command of commands) {
    const size = (command.kind === "start" ? command.payload : command.message.body)?.length ?? 0;
    const slice = slices.at(-1);
    if (slice && count < SLICE.count && bytes + size <= SLICE.bytes) slice.push(command);
    else {
      slices.push([command]);
      [count, bytes] = [0, 0];
    }
    count++;
    bytes += size;
  }
  return slices;
}

/** What a sender is told of a message. */
export function toAnswer({ messageId, url, deduplicated, run }: Receipt): Output<typeof published> {
  return {
    messageId,
    url,
    ...(deduplicated ? { deduplicated } : {}),
    ...(run ? { workflowRunId: run.id, workflowCreatedAt: run.createdAt } : {}),
  };
}
