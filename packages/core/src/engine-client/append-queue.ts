import { isHistory } from "../protocol/history.ts";
import type { InlineAnswer, InlineAppend, InlineNews } from "../protocol/inline.ts";
import { describeValue, isList } from "../util/check.ts";
import { WorkflowError } from "../util/errors.ts";
import { withTimeout } from "../util/timeout.ts";
import { type CallApi, isStatus, SEND_LESS } from "./api.ts";
import { refusalReason } from "./error-reason.ts";
import { statusOf } from "./http.ts";

/** Appends records to the history of a run. @throws WorkflowError when the engine gives no answer that can be used */
export type Append = (append: InlineAppend) => Promise<InlineAnswer>;

interface QueuedAppend {
  readonly json: string;
  readonly resolve: (answer: InlineAnswer) => void;
  readonly reject: (error: unknown) => void;
}

/** Characters of one request, unless a single append has more: the engine limits a request's bytes. */
const MAX_REQUEST_LENGTH = 512 * 1024;
/** A request that gets no answer must not hold up those of other runs. */
const ANSWER_TIMEOUT_SECONDS = 10;
/** Milliseconds before each retry of a request that the engine answers with a 5xx. */
const RETRY_DELAYS_MS = [50, 250];

/** Sends one request at a time: the appends that arrive meanwhile, of any number of runs, travel together in the next. */
export function createAppend(callApi: CallApi): Append {
  const queue: QueuedAppend[] = [];
  let sending = false;
  const send = async (): Promise<void> => {
    if (sending) return;
    sending = true;
    while (queue.length > 0) await sendTogether(callApi, takeBatch(queue));
    sending = false;
  };
  return (append) =>
    new Promise((resolve, reject) => {
      queue.push({ json: JSON.stringify(append), resolve, reject });
      void send();
    });
}

function takeBatch(queue: QueuedAppend[]): QueuedAppend[] {
  let length = 0;
  const end = queue.findIndex(({ json }) => {
    length += json.length;
    return length > MAX_REQUEST_LENGTH;
  });
  return queue.splice(0, end < 0 ? queue.length : Math.max(end, 1));
}

async function sendTogether(callApi: CallApi, batch: readonly QueuedAppend[]): Promise<void> {
  try {
    const answers = await request(callApi, `{"appends":[${batch.map(({ json }) => json).join()}]}`);
    batch.forEach(({ resolve, reject }, at) => {
      const answer: unknown = answers[at];
      if (isAnswer(answer)) resolve(answer);
      else reject(unusable(answer));
    });
  } catch (error) {
    const tooLarge = isStatus(error, 413);
    for (const { resolve, reject } of batch) {
      // Alone in its request, it is what the engine refuses.
      if (batch.length === 1 && (tooLarge || isStatus(error, 400)))
        resolve({ error: "refused", message: refusalReason(error.cause) + (tooLarge ? SEND_LESS : "") });
      else reject(error);
    }
  }
}

async function request(callApi: CallApi, body: string): Promise<readonly unknown[]> {
  const headers = { "content-type": "application/json" };
  for (let retried = 0; ; retried++) {
    try {
      const asking = callApi<unknown>("POST", ["workflows", "append"], { headers, body });
      const answer = await withTimeout(ANSWER_TIMEOUT_SECONDS, "The append", asking);
      const { appends } = Object(answer);
      if (isList(appends)) return appends;
      throw unusable(answer);
    } catch (error) {
      const delay = RETRY_DELAYS_MS[retried];
      if (delay === undefined || (statusOf(Object(error).cause) ?? 0) < 500) throw error;
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }
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
