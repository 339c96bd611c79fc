import { oneLine, plural } from "../format/text.ts";
import { clock, duration } from "../format/time.ts";
import { Icon, type IconName } from "../ui/icon.tsx";
import { STEP_LOOKS } from "../ui/status.tsx";
import type { Row, Scale } from "./timeline.ts";

const STEP_ICONS: Readonly<Record<string, IconName>> = {
  Run: "bolt",
  SleepFor: "clock",
  SleepUntil: "clock",
  Call: "link",
  Wait: "flag",
  WaitForWebhook: "flag",
  Notify: "flag",
  Invoke: "group",
};

interface StepRowProps {
  readonly row: Row;
  readonly scale: Scale;
  /** Whether the steps of the invoked run are shown; undefined for a step that has invoked none. */
  readonly isExpanded: boolean | undefined;
  readonly onToggle: () => void;
}

/** A step in the waterfall: its name, its parts in time, and how long it took. */
export function StepRow({ row, scale, isExpanded, onToggle }: StepRowProps) {
  const { step, name, from, to, parts, failures, bracket, isRollback } = row;
  const look = STEP_LOOKS[step.state ?? "STEP_PROGRESS"];
  const isDone = look.tone === "good";
  const icon = isRollback ? "undo" : (STEP_ICONS[step.stepType ?? ""] ?? "bolt");
  const undone = step.rollback?.state;
  const tries = failures.length > 0 ? `, ${plural(failures.length, "failed attempt")}` : "";
  return (
    <div class={`step tone-${isRollback && isDone ? "undo" : look.tone}`}>
      <span class={bracket && `bracket is-${bracket}`} />
      <span class="step-name" style={{ paddingLeft: `${row.depth * INDENT}px` }}>
        {isExpanded !== undefined && (
          <button
            type="button"
            class="icon-button is-small"
            tabIndex={-1}
            aria-label={
              isExpanded ? "Hide the steps of the invoked run" : "Show the steps of the invoked run"
            }
            aria-expanded={isExpanded}
            onClick={(event) => {
              event.stopPropagation();
              onToggle();
            }}
          >
            <Icon name={isExpanded ? "down" : "right"} size={13} />
          </button>
        )}
        <Icon name={isDone ? icon : look.icon} size={14} />
        <bdi>{oneLine(name)}</bdi>
        {row.group !== undefined && (
          <span class="mark" title="Ran side by side with others">
            ∥
          </span>
        )}
        {undone && (
          <span class={`mark tone-${undone === "done" ? "undo" : "bad"}`} title={UNDONE[undone]}>
            <Icon name="undo" size={13} />
          </span>
        )}
        <span class="hidden">
          {isRollback ? `rollback: ${look.word}` : look.word}
          {tries}
          {undone && `, ${UNDONE[undone]}`}
        </span>
      </span>
      <span class="track" title={`${clock(from, true)} to ${clock(to, true)}`}>
        {parts.map((part) => (
          <span
            key={`${part.from}-${part.kind}`}
            class={`bar is-${part.kind}`}
            style={{
              left: `${scale.place(part.from) * 100}%`,
              width: `${Math.max(0, scale.place(part.to) - scale.place(part.from)) * 100}%`,
            }}
          />
        ))}
        {failures.map(({ time }) => (
          <span key={time} class="failure-mark" style={{ left: `${scale.place(time) * 100}%` }} />
        ))}
      </span>
      <span class="step-time">{duration(step.durationMs ?? to - from)}</span>
    </div>
  );
}

const UNDONE = { done: "rolled back", failed: "rollback failed" } as const;

/** Pixels for each level of invoked runs. */
const INDENT = 18;
