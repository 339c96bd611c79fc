import { useState } from "preact/hooks";
import type { Overview, WaitsFor } from "../api/types.ts";
import { prettyJson } from "../format/json.ts";
import { now } from "../format/time.ts";
import { runPath } from "../router.ts";
import { Act, type Action, act } from "../ui/action.tsx";
import { ActionButton, Button } from "../ui/button.tsx";
import { closeDialog, DialogHead, Field, openDialog } from "../ui/dialog.tsx";
import { Icon, type IconName } from "../ui/icon.tsx";
import { Link } from "../ui/link.tsx";
import { Line, Time } from "../ui/text.tsx";
import { retryNowAction, wakeAction } from "./run-actions.tsx";

interface WaitsProps {
  readonly run: Overview;
  readonly reload: () => void;
}

/** Says for each wait of a run why it waits, until when, and how to end the wait. */
export function Waits({ run, reload }: WaitsProps) {
  const { waitsFor } = run;
  if (waitsFor.length === 0) return null;
  return (
    <section class="waits" aria-label="What it waits for">
      <h2 class="eyebrow">Waits for</h2>
      <ul>
        {waitsFor.map((wait, at) => (
          <li key={`${wait.kind}-${wait.stepName}-${at}`}>
            <Icon name={ICONS[wait.kind] ?? "clock"} />
            <div class="grow">
              <p>
                <WaitText wait={wait} />
              </p>
              <WaitTime wait={wait} />
            </div>
            <WaitAction wait={wait} run={run} reload={reload} />
          </li>
        ))}
      </ul>
    </section>
  );
}

const ICONS: Readonly<Record<string, IconName>> = {
  event: "flag",
  webhook: "link",
  child: "group",
  call: "link",
  retry: "retry",
  delivering: "play",
  flowControl: "gauge",
  queue: "queue",
  failureFunction: "flag",
  rollback: "undo",
};

/** Says it shorter than the engine's sentence where the page shows the times itself. */
function WaitText({ wait }: { readonly wait: WaitsFor }) {
  const { kind, stepName = "", eventId = "", attempt, attempts, text } = wait;
  switch (kind) {
    case "event":
      return (
        <>
          Event <Line text={eventId} mono /> in step <Line text={stepName} />
        </>
      );
    case "webhook":
      return (
        <>
          A request to the webhook of step <Line text={stepName} />
        </>
      );
    case "sleep":
      return (
        <>
          The end of the sleep <Line text={stepName} />
        </>
      );
    case "retry":
      return (
        <>
          Attempt {attempt} of {attempts}
          {stepName !== "" && (
            <>
              {" "}
              of <Line text={stepName} />
            </>
          )}
        </>
      );
    case "child":
      return (
        <>
          The run{" "}
          <Link to={runPath(wait.workflowRunId ?? "", wait.workflowRunCreatedAt)} class="mono">
            {wait.workflowRunId}
          </Link>{" "}
          of step <Line text={stepName} />
        </>
      );
    default:
      return <Line text={text} />;
  }
}

function WaitTime({ wait: { until, at } }: { readonly wait: WaitsFor }) {
  const time = until ?? at;
  if (time === undefined) return null;
  return (
    <p class="muted">
      {until === undefined ? "" : "until "}
      <Time at={time} clock />, <Time at={time} />
      {time < now.value && " (due)"}
    </p>
  );
}

function WaitAction({ wait, run, reload }: WaitsProps & { readonly wait: WaitsFor }) {
  switch (wait.kind) {
    case "sleep":
      return (
        <Act small icon="play" action={wakeAction(run, wait.stepName, reload)}>
          Wake now
        </Act>
      );
    case "retry":
    case "failureFunction":
    case "rollback":
      return (
        <Act small icon="retry" action={retryNowAction(run, reload)}>
          Retry now
        </Act>
      );
    case "event":
      return (
        <ActionButton
          small
          icon="flag"
          onClick={() => openEventDialog(wait.eventId ?? "", run.workflowRunId)}
        >
          Send the event…
        </ActionButton>
      );
    case "webhook":
      return (
        <ActionButton
          small
          icon="flag"
          onClick={() => openEventDialog(wait.eventId ?? "", run.workflowRunId)}
        >
          Complete…
        </ActionButton>
      );
    default:
      return null;
  }
}

/** Asks for an event's data, and sends it to one run, or to all that wait for it. */
export function openEventDialog(eventId: string, runId?: string): void {
  openDialog(() => <EventDialog eventId={eventId} runId={runId} />);
}

function EventDialog({ eventId, runId }: { readonly eventId: string; readonly runId: string | undefined }) {
  const [id, setId] = useState(eventId);
  const [data, setData] = useState(prettyJson("{}"));
  const ofRun = runId === undefined ? "" : `${encodeURIComponent(runId)}/`;
  const action: Action<readonly unknown[]> = {
    target: `/v2/notify/${ofRun}${encodeURIComponent(id)}`,
    options: { method: "POST", body: data },
    done: (notified) => ({
      text: notified.length === 0 ? "Nothing waits for it now" : `Sent to ${notified.length}`,
    }),
  };
  return (
    <>
      <DialogHead title="Send an event" />
      <div class="dialog-body">
        <Field
          label="Event"
          hint={runId === undefined ? "Every run that waits for it gets it." : "Only this run gets it."}
        >
          {(inputId) => (
            <input
              id={inputId}
              class="mono"
              value={id}
              readOnly={eventId !== ""}
              onInput={({ currentTarget }) => setId(currentTarget.value)}
            />
          )}
        </Field>
        <Field label="Data" hint="The step returns it, as JSON where it is JSON.">
          {(inputId) => (
            <textarea
              id={inputId}
              class="mono"
              rows={8}
              spellcheck={false}
              value={data}
              onInput={({ currentTarget }) => setData(currentTarget.value)}
            />
          )}
        </Field>
      </div>
      <footer class="dialog-foot">
        <span class="grow" />
        <Button onClick={closeDialog}>Close</Button>
        <ActionButton
          look="primary"
          disabled={id === ""}
          onClick={async () => {
            if (await act(action)) closeDialog();
          }}
        >
          Send
        </ActionButton>
      </footer>
    </>
  );
}
