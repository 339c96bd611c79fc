import type { Attempt, ErrorInfo, FailureReport, Overview, Rollback, Step } from "../api/types.ts";
import { parseJson } from "../format/json.ts";
import { oneLine, plural } from "../format/text.ts";
import { duration } from "../format/time.ts";
import { HeadersView } from "../ui/headers-view.tsx";
import { Icon } from "../ui/icon.tsx";
import { Payload } from "../ui/json-view.tsx";
import { Link } from "../ui/link.tsx";
import { REPORT_LOOKS, Status } from "../ui/status.tsx";
import { Line, Time } from "../ui/text.tsx";
import { Attempts } from "./attempts.tsx";
import { Chapter, failedRollbacks, ReportAnswer, Rollbacks } from "./chapters.tsx";
import { ErrorDetails } from "./error-details.tsx";
import { nameOf, toErrorInfo } from "./error-info.ts";

/** The id of the list of actions, which stands below the story where there is no room beside it. */
export const REMEDIES = "what-to-do";

interface StoryProps {
  readonly run: Overview;
  readonly steps: readonly Step[];
}

/** The story of a failure: what failed, where, what followed, and what is left to do. */
export function FailureStory({ run, steps }: StoryProps) {
  const failed = failedStepOf(run, steps);
  return (
    <div class="story">
      <Headline run={run} failed={failed} />
      <ol class="chapters" aria-label="What happened">
        <BeforeFailure run={run} steps={steps} />
        <Failure run={run} failed={failed} />
        <Rollbacks run={run} />
        <FailureFunction report={run.failureFunction} />
        <Letter run={run} />
      </ol>
    </div>
  );
}

/** The step whose failure was the run's. */
export function failedStepOf({ error }: Overview, steps: readonly Step[]): Step | undefined {
  const { step } = error ?? {};
  const failed = steps.filter(({ state, errors }) => state === "STEP_FAILED" || (errors?.length ?? 0) > 0);
  return (step && failed.findLast(({ stepName }) => stepName === step.name)) ?? failed.findLast(isFailed);
}

function isFailed({ state }: Step): boolean {
  return state === "STEP_FAILED";
}

function Headline({ run, failed }: { readonly run: Overview; readonly failed: Step | undefined }) {
  const { error } = run;
  const name = error?.step?.name ?? failed?.stepName;
  const attempts = failed?.errors?.length ?? 0;
  return (
    <div class="headline">
      <span class="headline-icon">
        <Icon name="cross" size={22} />
      </span>
      <div>
        <h2>
          {name === undefined ? "The workflow" : <Line text={name} />} failed:{" "}
          <span class="headline-error">
            <Line text={error?.message ?? "the engine recorded no message"} />
          </span>
        </h2>
        <p>
          {attempts > 1 && `${plural(attempts, "attempt")}, then the run failed. `}
          {rollbackSentence(run.rollbacks)}
          {reportSentence(run.failureFunction)}
          {run.dlqId === undefined
            ? "Its dead letter has left the queue."
            : "The run waits in the dead letter queue."}
        </p>
        {run.dlqId !== undefined && (
          <button
            type="button"
            class="to-remedies"
            onClick={() => document.getElementById(REMEDIES)?.scrollIntoView({ block: "start" })}
          >
            What to do
          </button>
        )}
      </div>
    </div>
  );
}

function rollbackSentence(rollbacks: readonly Rollback[] = []): string {
  if (rollbacks.length === 0) return "";
  const failed = rollbacks.filter(({ state }) => state === "failed").length;
  return failed === 0
    ? `${plural(rollbacks.length, "step was", "steps were")} rolled back. `
    : `${failedRollbacks(failed, rollbacks.length)}. `;
}

function reportSentence(report: FailureReport | undefined): string {
  switch (report?.state) {
    case "CALLBACK_SUCCESS":
      return "The failure function was called and returned. ";
    case "CALLBACK_FAIL":
      return "The failure function failed, too. ";
    case "CALLBACK_INPROGRESS":
      return "The failure function is being called. ";
    case "CALLBACK_CANCELED":
      return "The call of the failure function was cancelled. ";
    case undefined:
      return "";
  }
}

/** The names of the last steps before the failure stand in the story; all stand in the waterfall. */
const NAMED_STEPS = 6;

function BeforeFailure({ run, steps }: StoryProps) {
  const done = steps.filter(({ state, stepType }) => state === "STEP_SUCCESS" && stepType !== "Initial");
  const named = done.slice(-NAMED_STEPS);
  return (
    <Chapter
      tone="good"
      icon="play"
      title={`Started, and did ${plural(done.length, "step")}`}
      aside={<Time at={run.workflowRunCreatedAt} clock />}
    >
      {done.length > 0 && (
        <p class="chips">
          {done.length > named.length && <span class="muted">{done.length - named.length} more, then</span>}
          {named.map((step) => (
            <span key={step.stepId} class="chip">
              <Icon name="check" size={12} />
              <Line text={step.stepName ?? ""} />
            </span>
          ))}
        </p>
      )}
      <details>
        <summary>Payload</summary>
        <Payload text={run.payload} label="Payload" />
        <HeadersView headers={run.payloadHeaders} label="Payload" />
      </details>
    </Chapter>
  );
}

function Failure({ run, failed }: { readonly run: Overview; readonly failed: Step | undefined }) {
  const failures = failed?.errors ?? [];
  const error = fullError(run.error, failures);
  const name = error?.step?.name ?? failed?.stepName;
  const last = failures.at(-1)?.time ?? run.workflowRunCompletedAt;
  return (
    <Chapter
      tone="bad"
      icon="cross"
      title={
        name === undefined ? (
          "The workflow's code failed"
        ) : (
          <>
            <Line text={name} /> failed
            {failures.length > 1 && ` ${failures.length} times`}
          </>
        )
      }
      aside={last !== undefined && <Time at={last} clock />}
    >
      {failures.length > 1 && <AttemptStrip failures={failures} />}
      {error && (
        <div class="error-card">
          <ErrorDetails error={error} />
          {error.where !== undefined && error.where !== "step" && (
            <p class="muted">thrown {PLACES[error.where] ?? `in ${oneLine(error.where)}`}</p>
          )}
        </div>
      )}
      {failures.length > 0 && <Attempts failures={failures} from={failures[0]?.time ?? 0} />}
    </Chapter>
  );
}

/** The places outside of steps at which a workflow throws, in words. */
const PLACES: Readonly<Record<string, string>> = {
  payload: "while it read the payload",
  "before-first-step": "before its first step",
  "after-last-step": "after the last recorded step",
  replay: "while it replayed the recorded steps",
};

/** The error with its stack and causes, which the endpoint's last answer has. */
function fullError(error: ErrorInfo | undefined, failures: readonly Attempt[]): ErrorInfo | undefined {
  const last = toErrorInfo(parseJson(failures.at(-1)?.body));
  if (!error || !last || !isSameMessage(last.message, error.message)) return error ?? last;
  return { ...last, ...error };
}

/** Whether two messages are the same. The engine shortens the message in a long answer, and appends a mark. */
function isSameMessage(kept: string, whole: string): boolean {
  const beginning = kept.replace(/… \[cut: \d+ characters\]$/, "");
  return beginning === kept ? kept === whole : whole.startsWith(beginning);
}

/** The attempts on a line: a mark for each, and the back-off between them by its length. */
function AttemptStrip({ failures }: { readonly failures: NonNullable<Step["errors"]> }) {
  const waits = failures.slice(1).map(({ time }, at) => time - (failures[at]?.time ?? time));
  return (
    <div
      class="strip"
      role="img"
      aria-label={`${failures.length} attempts, waits: ${waits.map(duration).join(", ")}`}
    >
      <span class="strip-mark">1</span>
      {waits.map((wait, at) => (
        // The n-th wait stands before the attempt after it.
        <span
          key={failures[at + 1]?.time}
          class="strip-part"
          style={{ flexGrow: 1 + Math.log2(1 + wait / 100) }}
        >
          <span class="strip-wait">{duration(wait)}</span>
          <span class="strip-mark">{at + 2}</span>
        </span>
      ))}
    </div>
  );
}

function FailureFunction({ report }: { readonly report: FailureReport | undefined }) {
  if (!report) {
    return (
      <Chapter tone="quiet" icon="flag" title="No failure function">
        <p class="muted">This workflow has none, so nothing else ran for this failure.</p>
      </Chapter>
    );
  }
  const look = REPORT_LOOKS[report.state];
  return (
    <Chapter tone={look.tone} icon="flag" title="Failure function" aside={<Status look={look} />}>
      <div class="two-columns">
        <section>
          <h4 class="eyebrow">It was given</h4>
          <dl class="pairs">
            <div>
              <dt>failStatus</dt>
              <dd>{report.failStatus}</dd>
            </div>
            <div>
              <dt>failResponse</dt>
              <dd>
                <Line text={report.failResponse} />
              </dd>
            </div>
          </dl>
          <HeadersView headers={report.failHeaders} label="failHeaders" />
        </section>
        <ReportAnswer report={report} />
      </div>
      {report.errors && <Attempts failures={report.errors} from={report.errors[0]?.time ?? 0} />}
    </Chapter>
  );
}

function Letter({ run }: { readonly run: Overview }) {
  const { dlqId, fingerprint, resumedAs, workflowRunCompletedAt: at } = run;
  return (
    <Chapter
      tone={dlqId === undefined ? "quiet" : "warn"}
      icon="inbox"
      title={dlqId === undefined ? "No dead letter any more" : "Dead letter"}
      aside={at !== undefined && <Time at={at} clock />}
    >
      <p class="muted">
        {dlqId === undefined
          ? "It was resumed, restarted, deleted, or its time is over."
          : "It keeps the run, with its recorded steps, until someone resumes, restarts or deletes it."}
      </p>
      <p class="links">
        {dlqId !== undefined && <bdi class="mono">{dlqId}</bdi>}
        {fingerprint !== undefined && (
          <Link to={`/dead-letters?fingerprint=${encodeURIComponent(fingerprint)}`}>
            Failures like this one
          </Link>
        )}
        {resumedAs && (
          <Link
            to={`/runs/${encodeURIComponent(resumedAs.workflowRunId)}?at=${resumedAs.workflowRunCreatedAt}`}
          >
            The run that went on
          </Link>
        )}
      </p>
    </Chapter>
  );
}

/** One line that says what failed, for lists. */
export function errorLine(error: {
  readonly name?: string;
  readonly error?: string;
  readonly message: string;
}): string {
  const name = nameOf(error);
  // The engine's own name for what is no error of the code tells nothing.
  return name === "Error" || name === "WorkflowError"
    ? oneLine(error.message)
    : `${name}: ${oneLine(error.message)}`;
}
