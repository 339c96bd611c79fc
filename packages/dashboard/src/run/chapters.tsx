import type { ComponentChildren } from "preact";
import type { Overview, Report } from "../api/types.ts";
import { parseJson } from "../format/json.ts";
import { plural } from "../format/text.ts";
import { Icon, type IconName } from "../ui/icon.tsx";
import { Payload } from "../ui/json-view.tsx";
import type { Tone } from "../ui/status.tsx";
import { Line, Time } from "../ui/text.tsx";
import { ErrorDetails } from "./error-details.tsx";
import { toErrorInfo } from "./error-info.ts";

// The chapters that the stories of failed and of cancelled runs share.

interface ChapterProps {
  readonly tone: Tone;
  readonly icon: IconName;
  readonly title: ComponentChildren;
  readonly aside?: ComponentChildren;
  readonly children?: ComponentChildren;
}

/** A chapter of a run's story. */
export function Chapter({ tone, icon, title, aside, children }: ChapterProps) {
  return (
    <li class={`chapter tone-${tone}`}>
      <span class="chapter-icon">
        <Icon name={icon} size={14} />
      </span>
      <div class="chapter-body">
        <div class="chapter-head">
          <h3>{title}</h3>
          <span class="chapter-aside">{aside}</span>
        </div>
        {children}
      </div>
    </li>
  );
}

/** Says how many of the rollbacks failed. */
export function failedRollbacks(failed: number, all: number): string {
  return all === 1 ? "The rollback failed" : `${failed} of ${plural(all, "rollback")} failed`;
}

/** The rollbacks that followed the end of a run, in their order. */
export function Rollbacks({ run: { rollbacks = [] } }: { readonly run: Overview }) {
  if (rollbacks.length === 0) return null;
  const failed = rollbacks.filter(({ state }) => state === "failed");
  return (
    <Chapter
      tone={failed.length > 0 ? "bad" : "undo"}
      icon="undo"
      title={
        failed.length > 0
          ? failedRollbacks(failed.length, rollbacks.length)
          : `Rolled back ${plural(rollbacks.length, "step")}`
      }
    >
      <ol class="rollbacks">
        {rollbacks.map((one) => (
          <li key={`${one.stepId}-${one.stepName}`} class={`tone-${one.state === "done" ? "undo" : "bad"}`}>
            <Icon name={one.state === "done" ? "undo" : "cross"} size={13} />
            <span class="rollback-name">
              <Line text={one.stepName} />
            </span>
            <span class="muted">
              {one.state === "done" ? "undone" : "not undone"}
              {one.attempts > 1 && `, ${one.attempts} attempts`}
            </span>
            {one.time !== undefined && (
              <span class="muted rollback-time">
                <Time at={one.time} clock />
              </span>
            )}
            {one.error && <ErrorDetails error={one.error} />}
          </li>
        ))}
      </ol>
    </Chapter>
  );
}

/** Shows what a failure or cancel function returned or threw. */
export function ReportAnswer({ report }: { readonly report: Report }) {
  const thrown = report.state === "CALLBACK_FAIL" ? toErrorInfo(parseJson(report.responseBody)) : undefined;
  return (
    <section>
      <h4 class="eyebrow">{thrown ? "It threw" : "It returned"}</h4>
      {thrown ? (
        <ErrorDetails error={thrown} />
      ) : report.responseStatus === undefined ? (
        <p class="muted">
          nothing yet
          {report.nextDeliveryTime !== undefined && (
            <>
              , next attempt <Time at={report.nextDeliveryTime} />
            </>
          )}
        </p>
      ) : (
        <>
          <p>
            Status <span class="tag">{report.responseStatus}</span>
          </p>
          <Payload text={resultOf(report.responseBody)} label="Result" />
        </>
      )}
    </section>
  );
}

/** Shows the result of a failure or cancel function. The endpoint's answer has it in a field. */
function resultOf(body: string | undefined): string | undefined {
  const answer = parseJson(body);
  if (typeof answer !== "object" || answer === null || !("result" in answer)) return body;
  return Object.keys(answer).length === 1 ? JSON.stringify(answer.result) : body;
}
