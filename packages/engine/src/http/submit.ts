import type { IntakeRequest } from "../rules/draft.ts";
import type { Intake } from "../rules/intake.ts";
import { Problem } from "../rules/problem.ts";
import type { Receipt } from "../store/store.ts";
import type { Input, None, Shown } from "./route.ts";
import type { Service } from "./service.ts";
import type { published } from "./shapes.ts";

/** A request to publish, to a destination that its path names. */
export function toIntakeRequest(
  destination: string,
  { headers, body, callerIp, now }: Input<None, None, Uint8Array>,
): IntakeRequest {
  return { destination, headers, body, callerIp, now };
}

/** Stores intakes: all of them, or none. */
export function submit(intakes: readonly Intake[], { store, limits }: Service): Promise<Receipt[]> {
  return store.accept(intakes, limits);
}

/** Messages and bytes that are stored in one transaction: a few milliseconds' work, for which all else has to wait. */
const SLICE = { count: 64, bytes: 1024 * 1024 };

/**
 * As {@link submit}, for what doesn't depend on each other: in several transactions, between which others have their
 * turns. The store's refusal of one comes in its place.
 */
export async function submitEach(
  intakes: readonly Intake[],
  service: Service,
): Promise<(Receipt | Problem)[]> {
  const outcomes: (Receipt | Problem)[] = [];
  for (const slice of toSlices(intakes)) {
    await new Promise((resolve) => setImmediate(resolve));
    outcomes.push(...(await submitSlice(slice, service)));
  }
  return outcomes;
}

/** As {@link submitEach}. @throws the store's first refusal: what it refuses of messages to one group, it refuses of all */
export async function submitAll(intakes: readonly Intake[], service: Service): Promise<Receipt[]> {
  return (await submitEach(intakes, service)).map((outcome) => {
    if (outcome instanceof Problem) throw outcome;
    return outcome;
  });
}

async function submitSlice(
  slice: readonly Intake[],
  service: Service,
): Promise<readonly (Receipt | Problem)[]> {
  try {
    return await submit(slice, service);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (slice.length === 1) return [error];
  }
  return (await Promise.all(slice.map((one) => submitSlice([one], service)))).flat();
}

function toSlices(intakes: readonly Intake[]): Intake[][] {
  const slices: Intake[][] = [];
  let [count, bytes] = [0, 0];
  for (const intake of intakes) {
    const size = (intake.kind === "start" ? intake.payload : intake.message.body)?.length ?? 0;
    const slice = slices.at(-1);
    if (slice && count < SLICE.count && bytes + size <= SLICE.bytes) slice.push(intake);
    else {
      slices.push([intake]);
      [count, bytes] = [0, 0];
    }
    count++;
    bytes += size;
  }
  return slices;
}

/** What a sender is told of a message. */
export function toAnswer({ messageId, url, deduplicated, run }: Receipt): Shown<typeof published> {
  return {
    messageId,
    url,
    ...(deduplicated ? { deduplicated } : {}),
    ...(run ? { workflowRunId: run.id, workflowCreatedAt: run.createdAt } : {}),
  };
}
