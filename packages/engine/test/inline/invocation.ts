import {
  type AttemptEntry,
  encodeCapabilities,
  HEADER,
  type InlineAnswer,
  type InlineAppend,
  type InlineEnd,
  type InlineMessage,
  type InlineNews,
  type InlineRecord,
  type StepKey,
  type StepRecord,
  type StepType,
  type WaitBody,
} from "@perdure/core/protocol";
import {
  APP,
  type Call,
  decode,
  type Endpoint,
  historyOf,
  isFailure,
  ofRun,
  ok,
  result,
  runIdOf,
  SDK,
  type World,
} from "../harness.ts";

/** One invocation of a workflow that its endpoint runs inline, as tests write it. */
export interface Invocation {
  readonly call: Call;
  readonly self: World;
  readonly runId: string;
  /** 1 for the run's first delivery. */
  readonly nth: number;
  readonly lease: string;
  /** Entries that it knows. */
  readonly after: number;
  /** The results on record, by the names of their steps. */
  readonly results: ReadonlyMap<string, StepRecord>;
  readonly attempts: readonly AttemptEntry[];
  /** Appends, and knows what it is answered. @throws TypeError when it is refused */
  append(records: readonly InlineRecord[], underWay?: readonly StepKey[]): Promise<readonly InlineNews[]>;
  /** The answer to the delivery. */
  end(how: Partial<InlineEnd>): Response;
  park(...records: InlineRecord[]): Response;
  returned(value: unknown, ...records: InlineRecord[]): Response;
  /** A failed attempt of a step. */
  failed(step: StepKey, how?: FailedAnswer): Response;
}

export interface FailedAnswer {
  readonly status?: number;
  readonly message?: string;
  readonly headers?: Record<string, string>;
  readonly records?: readonly InlineRecord[];
  readonly rollback?: true;
}

export type Script = (invocation: Invocation) => Response | Promise<Response>;

export const CAPABILITIES = { [HEADER.capabilities]: encodeCapabilities({ onCancel: false }) };

/** An endpoint that runs a workflow inline. It takes failures as `onFailure` says. */
export function inline(script: Script, onFailure: Endpoint = () => ok("{}")): Endpoint {
  const counts = new Map<string, number>();
  return async (call, self) => {
    if (isFailure(call)) return onFailure(call, self);
    const runId = runIdOf(call);
    const nth = (counts.get(runId) ?? 0) + 1;
    counts.set(runId, nth);
    return script(invocationOf(call, self, nth));
  };
}

export function invocationOf(call: Call, self: World, nth = 1): Invocation {
  const history = historyOf(call);
  const lease = call.headers.get(HEADER.lease) ?? "";
  const known = history.slice(1).map(({ callType, body }) => ({ callType, value: JSON.parse(decode(body)) }));
  const records = known.filter(({ callType }) => callType === "step").map(({ value }) => value as StepRecord);
  let after = history.length;
  const answer = (body: object, status = 200, headers: Record<string, string> = {}): Response =>
    new Response(JSON.stringify(body), {
      status,
      headers: {
        "content-type": "application/json",
        ...SDK,
        ...CAPABILITIES,
        [HEADER.lease]: lease,
        ...headers,
      },
    });
  const end: Invocation["end"] = (how) =>
    answer({ workflowRunId: runIdOf(call), perdure: { invocation: ONLY, after, records: [], ...how } });
  return {
    call,
    self,
    runId: runIdOf(call),
    nth,
    lease,
    get after() {
      return after;
    },
    results: new Map(records.filter(({ stepId }) => stepId > 0).map((record) => [record.stepName, record])),
    attempts: known
      .filter(({ callType }) => callType === "attempt")
      .map(({ value }) => value as AttemptEntry),
    async append(records, underWay = []) {
      const said = await appendTo(self, { lease, after, records, underWay });
      if (!("news" in said)) throw new TypeError(JSON.stringify(said));
      after += said.news.length;
      return said.news;
    },
    end,
    park: (...records) => end({ end: "parked", records }),
    returned: (value, ...records) => end({ end: "returned", result: JSON.stringify(value), records }),
    failed: (step, { status = 500, message = "boom", headers, records = [], rollback } = {}) =>
      answer(
        {
          error: "Error",
          message,
          where: "step",
          step: { id: 99, ...step, ...(rollback ? { rollback } : {}) },
          perdure: { invocation: ONLY, after, records, failed: step },
        },
        status,
        {
          [HEADER.errorStepName]: step.name,
          ...(status === 489 ? { [HEADER.nonRetryable]: "true" } : {}),
          ...headers,
        },
      ),
  };
}

/** The invocation of a delivery that arrives once. */
export const ONLY = "the only one";

type Append = Omit<InlineAppend, "invocation"> & Partial<InlineAppend>;

export async function appendTo(w: World, ...appends: Append[]): Promise<InlineAnswer> {
  const named = appends.map((append): InlineAppend => ({ invocation: ONLY, ...append }));
  const json = JSON.stringify({ appends: named });
  const { body, status } = await w.ask("POST", "/v2/workflows/append", { body: json });
  if (status !== 200) throw new TypeError(`${status} ${JSON.stringify(body)}`);
  return body.appends[0];
}

export const key = (name: string, nth = 1, type: StepType = "Run"): StepKey => ({ name, type, nth });

export const done = (id: number, more: Partial<StepRecord> = {}): InlineRecord => ({
  kind: "result",
  record: result(id, more),
});

const planOf = (id: number, stepType: StepType, more: Partial<StepRecord> = {}): StepRecord => ({
  stepId: 0,
  targetStep: id,
  stepName: `step${id}`,
  stepType,
  concurrent: 1,
  ...more,
});

export const begins = (id: number): InlineRecord => ({ kind: "begin", record: planOf(id, "Run") });

export const sleeps = (id: number, until: number): InlineRecord => ({
  kind: "ask",
  record: planOf(id, "SleepUntil", { sleepUntil: until / 1000 }),
  until,
});

export function waits(runId: string, id: number, eventId: string, timeout = "1h"): InlineRecord {
  const headers = ofRun(runId, "false");
  const step = { stepId: id, stepName: `step${id}`, stepType: "Wait", concurrent: 1 } as const;
  const body: WaitBody = { url: APP, timeout, timeoutUrl: APP, timeoutHeaders: {}, step };
  return { kind: "ask", record: planOf(id, "Wait"), wait: { eventId, headers, body } };
}

export const asksFor = (id: number, stepType: StepType, message: InlineMessage): InlineRecord => ({
  kind: "ask",
  record: planOf(id, stepType),
  message,
});

export const fails = (step: StepKey, attempt: number, more: object = {}): InlineRecord => ({
  kind: "attempt",
  step,
  attempt,
  error: { error: "Error", message: "boom" },
  ...more,
});

export const newsOf = (answer: InlineAnswer): readonly InlineNews[] => {
  if ("news" in answer) return answer.news;
  throw new TypeError(JSON.stringify(answer));
};
