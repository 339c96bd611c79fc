import { z } from "zod";
import { type Command, parseCommand, parseUrlGroupPublish } from "../rules/command.ts";
import { EngineError } from "../rules/engine-error.ts";
import type { PublishRequest } from "../rules/new-message.ts";
import { isUrlGroupName, unknownDestination } from "../rules/url-group.ts";
import type { Receipt } from "../store/receipt.ts";
import type { Output } from "./route.ts";
import { published } from "./schemas.ts";
import type { Service } from "./service.ts";
import { toAnswer } from "./submit.ts";

/** What a request asks for. To a URL group that is one message for each of its endpoints, answered with a list. */
export interface RequestedDestination {
  readonly toGroup: boolean;
  readonly commands: readonly Command[];
}

/**
 * @param room messages that the request's batch may still become
 * @throws EngineError that names the field; `not_found` for a URL group that isn't there; `too_large` for one message too many
 */
export async function resolve(
  request: PublishRequest,
  { store, limits }: Service,
  room = Infinity,
): Promise<RequestedDestination> {
  const { destination } = request;
  const urlGroup = isUrlGroupName(destination) ? await store.urlGroup(destination) : undefined;
  if (room < (urlGroup?.endpoints.length ?? 1)) throw tooMany(limits.batchItems);
  if (!isUrlGroupName(destination)) return { toGroup: false, commands: [parseCommand(request, limits)] };
  if (!urlGroup) throw unknownDestination(destination);
  return { toGroup: true, commands: parseUrlGroupPublish(request, urlGroup, limits) };
}

function tooMany(most: number): EngineError {
  return new EngineError(
    "too_large",
    `the batch becomes more than ${most} messages, counting one for each endpoint of a url group; send several smaller requests`,
  );
}

/** What a sender is told of one message, or of one for each endpoint of a URL group. */
export const sent = z.union([published, z.array(published)]);

/** @param receipts of {@link AnsweredMessage.commands}, in their order */
export function toAnswers(
  { toGroup }: RequestedDestination,
  receipts: readonly Receipt[],
): Output<typeof sent> {
  const answers = receipts.map(toAnswer);
  return toGroup ? answers : (answers[0] as Output<typeof published>);
}
