import { useCallback, useMemo, useState } from "preact/hooks";
import type { Overview, RunRef, Step } from "../api/types.ts";
import { plural } from "../format/text.ts";
import { duration, fullTime, now } from "../format/time.ts";
import { ExpandedChild } from "./expanded-child.tsx";
import { StepPanel } from "./step-panel.tsx";
import { StepRow } from "./step-row.tsx";
import {
  childKey,
  childOf,
  type LoadedChild,
  nest,
  type Row,
  type Scale,
  toLabels,
  toRollbackRows,
  toRows,
  toScale,
} from "./timeline.ts";
import { VirtualList } from "./virtual-list.tsx";

const ROW_HEIGHT = 30;

interface WaterfallProps {
  readonly run: Pick<
    Overview,
    "workflowRunCreatedAt" | "workflowRunCompletedAt" | "workflowState" | "rollbacks"
  >;
  readonly steps: readonly Step[];
  readonly isComplete: boolean;
}

/** A run's steps in time: work, waits, back-off and rollbacks told apart; one step's details beside them. */
export function Waterfall({ run, steps, isComplete }: WaterfallProps) {
  const start = run.workflowRunCreatedAt;
  const end = run.workflowState === "RUN_STARTED" ? now.value : (run.workflowRunCompletedAt ?? now.value);
  const children = useChildren();
  const own = useMemo(
    () => [...toRows(steps, { start, end }), ...toRollbackRows(run.rollbacks ?? [], end)],
    [steps, start, end, run.rollbacks],
  );
  const rows = useMemo(() => nest(own, children.loaded), [own, children.loaded]);
  const last = own.reduce((most, { to }) => Math.max(most, to), end);
  const scale = useMemo(() => toScale(own, { start, end: last }), [own, start, last]);
  const [selectedKey, select] = useState<string>();
  const found = rows.findIndex(({ key }) => key === selectedKey);
  const selected = found < 0 ? undefined : found;
  const chosen = selected === undefined ? undefined : rows[selected];
  if (rows.length === 0 && isComplete) return <p class="muted">No step yet.</p>;
  return (
    <div class={`waterfall ${chosen ? "has-panel" : ""}`}>
      <div class="waterfall-main">
        <Axis start={start} end={last} scale={scale} />
        <VirtualList
          count={rows.length}
          rowHeight={ROW_HEIGHT}
          label={`${plural(rows.length, "step")} of the run`}
          idOf={(at) => `step-${at}`}
          selected={selected}
          onSelect={(at) => select(rows[at]?.key)}
          levelOf={(at) => (rows[at]?.depth ?? 0) + 1}
          isExpanded={(at) => {
            const child = childOfRow(rows[at]);
            return child && children.isOpen(child);
          }}
          onExpand={(at, isOpen) => children.set(childOfRow(rows[at]), isOpen)}
          row={(at) => {
            const row = rows[at];
            if (!row) return null;
            const child = childOf(row.step);
            return (
              <StepRow
                row={row}
                scale={scale}
                isExpanded={child && children.isOpen(child)}
                onToggle={() => children.set(child, !(child && children.isOpen(child)))}
              />
            );
          }}
        />
        {children.open.map((child) => (
          <ExpandedChild key={childKey(child)} run={child} onLoad={children.load} />
        ))}
        {!isComplete && (
          <p class="muted" role="status">
            {plural(rows.length, "step")} loaded; the rest is on its way…
          </p>
        )}
        <Legend hasBrackets={rows.some(({ bracket }) => bracket !== undefined)} />
      </div>
      {chosen && <StepPanel row={chosen} onClose={() => select(undefined)} />}
    </div>
  );
}

function childOfRow(row: Row | undefined): RunRef | undefined {
  return row && childOf(row.step);
}

/** The invoked runs whose steps are shown. */
function useChildren() {
  const [open, setOpen] = useState<readonly RunRef[]>([]);
  const [stored, setStored] = useState<ReadonlyMap<string, LoadedChild>>(new Map());
  const isOpen = (run: RunRef): boolean => open.some((one) => childKey(one) === childKey(run));
  const loaded = useMemo(() => {
    const keys = new Set(open.map(childKey));
    return new Map([...stored].filter(([key]) => keys.has(key)));
  }, [open, stored]);
  const load = useCallback(
    (run: RunRef, child: LoadedChild) => setStored((last) => new Map(last).set(childKey(run), child)),
    [],
  );
  const set = (run: RunRef | undefined, shown: boolean): void => {
    if (!run || shown === isOpen(run)) return;
    setOpen(shown ? [...open, run] : open.filter((one) => childKey(one) !== childKey(run)));
  };
  return { open, isOpen, loaded, load, set };
}

interface AxisProps {
  readonly start: number;
  readonly end: number;
  readonly scale: Scale;
}

function Axis({ start, end, scale }: AxisProps) {
  const labels = toLabels(scale);
  return (
    <div class="axis-row" aria-hidden="true">
      <span>Step</span>
      <span class="track" title={`${fullTime(start)} – ${fullTime(end)}`}>
        {labels.cuts.map(({ from, to }) => (
          <span key={from} class="cut" style={{ left: `${scale.place(from) * 100}%` }}>
            ⁄⁄ {duration(to - from)}
          </span>
        ))}
        {labels.hasEnd && <span class="axis-end">+{duration(end - start)}</span>}
      </span>
      <span>Time</span>
    </div>
  );
}

function Legend({ hasBrackets }: { readonly hasBrackets: boolean }) {
  return (
    <p class="legend">
      <span>
        <span class="bar is-work tone-good" /> work
      </span>
      <span>
        <span class="bar is-wait" /> waiting
      </span>
      <span>
        <span class="bar is-backoff" /> back-off before a retry
      </span>
      <span>
        <span class="failure-mark" /> failed attempt
      </span>
      <span>
        <span class="bar is-work tone-undo" /> rollback
      </span>
      {hasBrackets && (
        <span>
          <span class="bracket is-legend" /> one delivery
        </span>
      )}
    </p>
  );
}
