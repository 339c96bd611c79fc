import { plural } from "../format/text.ts";
import { duration } from "../format/time.ts";
import { runPath } from "../router.ts";
import { HeadersView } from "../ui/headers-view.tsx";
import { Icon } from "../ui/icon.tsx";
import { Payload } from "../ui/json-view.tsx";
import { Link } from "../ui/link.tsx";
import { STEP_LOOKS, Status } from "../ui/status.tsx";
import { Line, Time } from "../ui/text.tsx";
import { Attempts } from "./attempts.tsx";
import { resultText } from "./step-result.ts";
import { childOf, type Row } from "./timeline.ts";

interface PanelProps {
  readonly row: Row;
  readonly onClose: () => void;
}

/** A step's details: its time, attempts, result, and what is special to its kind. */
export function StepPanel({ row, onClose }: PanelProps) {
  const { step, name, from, to, failures, isRollback } = row;
  const child = childOf(step);
  return (
    <aside class="panel" aria-label={`Step ${name}`}>
      <header class="panel-head">
        <h3>
          <Line text={name} />
        </h3>
        <button type="button" class="icon-button" aria-label="Close step" onClick={onClose}>
          <Icon name="cross" />
        </button>
      </header>
      <p class="panel-facts">
        <Status look={STEP_LOOKS[step.state ?? "STEP_PROGRESS"]} />
        <span>{isRollback ? "Rollback" : (KINDS[step.stepType ?? ""] ?? step.stepType ?? "Step")}</span>
        <span>
          <Time at={from} clock /> · {duration(step.durationMs ?? to - from)}
        </span>
        {step.retries !== undefined && <span>{plural(step.retries, "retry", "retries")} allowed</span>}
      </p>
      {step.rollback && (
        <p class={`note tone-${step.rollback.state === "done" ? "undo" : "bad"}`}>
          <Icon name="undo" /> {step.rollback.state === "done" ? "Rolled back" : "The rollback failed"} after{" "}
          {plural(step.rollback.attempts, "attempt")}
        </p>
      )}
      {step.waitEventId !== undefined && (
        <p>
          Event <Line text={step.waitEventId} mono />
          {step.waitTimeout && " didn't come in time"}
        </p>
      )}
      {step.callUrl !== undefined && (
        <p>
          <span class="mono">{step.callMethod ?? "GET"}</span> <Line text={step.callUrl} mono />
          {step.callResponseStatus !== undefined && ` → ${step.callResponseStatus}`}
        </p>
      )}
      {failures.length > 0 && <Attempts failures={failures} from={from} />}
      {step.out !== undefined && <Payload text={resultText(step)} label="Result" />}
      {step.callBody !== undefined && <Payload text={step.callBody} label="Request" />}
      {step.callResponseBody !== undefined && <Payload text={step.callResponseBody} label="Response" />}
      <HeadersView headers={step.callHeaders} label="Request" />
      <HeadersView headers={step.callResponseHeaders} label="Response" />
      {child && (
        <p>
          Invoked run{" "}
          <Link to={runPath(child.workflowRunId, child.workflowRunCreatedAt)} class="mono">
            {child.workflowRunId}
          </Link>
        </p>
      )}
    </aside>
  );
}

const KINDS: Readonly<Record<string, string>> = {
  Run: "Function",
  SleepFor: "Sleep",
  SleepUntil: "Sleep",
  Call: "HTTP call",
  Wait: "Wait for an event",
  WaitForWebhook: "Wait for a webhook",
  Notify: "Notify",
  Invoke: "Invoke a workflow",
};
