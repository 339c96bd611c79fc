import { z } from "zod";
import type { IntakeRequest } from "../rules/draft.ts";
import { type Intake, toFanOut, toIntake } from "../rules/intake.ts";
import { Problem } from "../rules/problem.ts";
import { isTopicName, noSuchTopic } from "../rules/topic.ts";
import type { Receipt } from "../store/store.ts";
import type { Shown } from "./route.ts";
import type { Service } from "./service.ts";
import { published } from "./shapes.ts";
import { toAnswer } from "./submit.ts";

/** What a request asks for. To a URL group that is one message for each of its endpoints, answered with a list. */
export interface Asked {
  readonly toGroup: boolean;
  readonly intakes: readonly Intake[];
}

/**
 * @param room messages that the request's batch may still become
 * @throws Problem 4xx that names the field; 404 for a URL group that isn't there; 413 for one message too many
 */
export async function resolve(
  request: IntakeRequest,
  { store, limits }: Service,
  room = Infinity,
): Promise<Asked> {
  const { destination } = request;
  const topic = isTopicName(destination) ? await store.topic(destination) : undefined;
  if (room < (topic?.endpoints.length ?? 1)) throw tooMany(limits.batchItems);
  if (!isTopicName(destination)) return { toGroup: false, intakes: [toIntake(request, limits)] };
  if (!topic) throw noSuchTopic(destination);
  return { toGroup: true, intakes: toFanOut(request, topic, limits) };
}

function tooMany(most: number): Problem {
  return new Problem(
    413,
    `the batch becomes more than ${most} messages, counting one for each endpoint of a url group; send several smaller requests`,
  );
}

/** What a sender is told of one message, or of one for each endpoint of a URL group. */
export const sent = z.union([published, z.array(published)]);

/** @param receipts of {@link Asked.intakes}, in their order */
export function toAnswers({ toGroup }: Asked, receipts: readonly Receipt[]): Shown<typeof sent> {
  const answers = receipts.map(toAnswer);
  return toGroup ? answers : (answers[0] as Shown<typeof published>);
}
