import * as HEADER from "../protocol/header-names.ts";
import { isHistory } from "../protocol/history.ts";
import type { InlineAnswer, InlineAppend, InlineNews } from "../protocol/inline.ts";
import { describeValue, isList } from "../util/check.ts";
import { WorkflowError } from "../util/errors.ts";
import { ANSWER_TIMEOUT_SECONDS, withTimeout } from "../util/timeout.ts";
import { type CallApi, isStatus, SEND_LESS } from "./api.ts";
import { refusalReason } from "./error-reason.ts";
import { createSendQueue } from "./send-queue.ts";

/** Appends records to the history of a run. @throws WorkflowError when the engine gives no answer that can be used */
export type Append = (append: InlineAppend) => Promise<InlineAnswer>;

/** With two, the engine stores the appends of one request while the runs of the other go on. More requests are smaller ones. */
const MAX_IN_FLIGHT = 2;
/** A longer wait costs more than the deliveries that the runs fall back to. */
const SERVER_ERROR_DELAYS_MS = [50, 250];

/** Creates an {@link Append} for any number of runs, whose appends share requests. */
export function createAppend(callApi: CallApi): Append {
  const send = createSendQueue(MAX_IN_FLIGHT, (items) =>
    request(callApi, `{"appends":[${items.map(({ body }) => body).join()}]}`),
  );
  return async (append) => {
    try {
      const answer = await send({ body: JSON.stringify(append) });
      if (isAnswer(answer)) return answer;
      throw unusable(answer);
    } catch (error) {
      // Alone in its request, it is what the engine refuses.
      const tooLarge = isStatus(error, 413);
      if (tooLarge || isStatus(error, 400))
        return { error: "refused", message: refusalReason(error.cause) + (tooLarge ? SEND_LESS : "") };
      throw error;
    }
  };
}

async function request(callApi: CallApi, body: string): Promise<readonly unknown[]> {
  const asking = callApi<{ readonly appends: unknown }>("POST", ["workflows", "append"], {
    headers: { [HEADER.contentType]: "application/json" },
    body,
    serverErrorDelays: SERVER_ERROR_DELAYS_MS,
  });
  const answer = await withTimeout(ANSWER_TIMEOUT_SECONDS, "The append", asking);
  if (isList(answer?.appends)) return answer.appends;
  throw unusable(answer);
}

function isAnswer(value: unknown): value is InlineAnswer {
  const { news, error, message = "" } = Object(value);
  if (isList(news)) return news.every(isNews);
  return ["lease_lost", "run_over", "refused"].includes(error) && typeof message === "string";
}

function isNews(value: unknown): value is InlineNews {
  const { own, entry } = Object(value);
  return entry === undefined ? Number.isSafeInteger(own) : isHistory([entry]);
}

function unusable(answer: unknown): WorkflowError {
  const message = `The engine's answer to an append can't be used: ${describeValue(answer)}`;
  return new WorkflowError("engine_refused", message);
}
