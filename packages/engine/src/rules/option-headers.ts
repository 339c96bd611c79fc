import { HEADER } from "@perdure/core/protocol";

/** The headers with a message's delivery options, and the option of each. */
export const OPTION_HEADERS = {
  [HEADER.method]: "GET, POST, PUT, PATCH or DELETE.",
  [HEADER.delay]: "How long to wait before the first attempt: 30s, 5m, 1d12h.",
  [HEADER.notBefore]: "The unix time before which no attempt is made; it wins over the delay.",
  [HEADER.retries]: "Attempts after the first.",
  [HEADER.retryDelay]: "An expression, in milliseconds: 1000 * (1 + retried).",
  [HEADER.timeout]: "For one attempt.",
  [HEADER.deduplicationId]: "What comes again within the window is not delivered again.",
  [HEADER.contentBasedDeduplication]: "true: as if the content were the id.",
  [HEADER.callback]: "Where each attempt is reported; its options begin with Upstash-Callback-.",
  [HEADER.failureCallback]: "Where a final failure is; its options begin with Upstash-Failure-Callback-.",
  [HEADER.queueName]: "The queue to put it in.",
  [HEADER.cron]: "When to send it, again and again: 0 9 * * *, or CRON_TZ=Europe/Berlin 0 9 * * *.",
  [HEADER.scheduleId]: "What the schedule is known by; the same again replaces it.",
  [HEADER.headerForward]: "true: all of the request's own headers are sent along.",
  [HEADER.label]: "Names to find it by, with commas between them.",
  [HEADER.flowControlKey]: "What shares limits.",
  [HEADER.flowControlValue]: "The limits: parallelism=5, rate=10, period=1m.",
  [HEADER.redactFields]: "What is shown only as a hash: body, header, header[Name].",
} as const;

/** The engine reads no other header as an option. */
export type OptionHeader = keyof typeof OPTION_HEADERS;
