import { HEADER, PREFIX } from "@perdure/core/protocol";
import { ask } from "../api/http.ts";
import { useResource } from "../api/resource.ts";
import type { Schedule } from "../api/types.ts";
import { Act, type Action, confirmAction } from "../ui/action.tsx";
import { ActionButton } from "../ui/button.tsx";
import { openForm } from "../ui/form-dialog.tsx";
import { PageHead } from "../ui/page-head.tsx";
import { Empty, Loaded } from "../ui/states.tsx";
import { Line, Time, WorkflowName } from "../ui/text.tsx";

/** The schedules: when they fire next, and what became of the last time. */
export function SchedulesPage() {
  const schedules = useResource(
    "schedules",
    (signal) => ask<readonly Schedule[]>("/v2/schedules", { signal }),
    {
      names: ["schedule", "message"],
    },
  );
  return (
    <main id="main" tabIndex={-1}>
      <PageHead title="Schedules" text="Messages and runs that start by the clock.">
        <ActionButton icon="plus" look="primary" onClick={() => edit(undefined, schedules.reload)}>
          Make a schedule
        </ActionButton>
      </PageHead>
      <Loaded of={schedules}>
        {(all) =>
          all.length === 0 ? (
            <Empty icon="calendar" title="No schedules">
              <p>A schedule sends a message, or starts a run, at the times of a cron expression.</p>
            </Empty>
          ) : (
            <div class="table-scroll">
              <table class="rows">
                <thead>
                  <tr>
                    <th>Schedule</th>
                    <th>Cron</th>
                    <th>State</th>
                    <th class="number">Last</th>
                    <th class="number">Next</th>
                    <th>
                      <span class="hidden">Actions</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {all.map((schedule) => (
                    <ScheduleRow key={schedule.scheduleId} schedule={schedule} reload={schedules.reload} />
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Loaded>
    </main>
  );
}

interface RowProps {
  readonly schedule: Schedule;
  readonly reload: () => void;
}

function ScheduleRow({ schedule, reload }: RowProps) {
  const { scheduleId: id, isPaused, lastScheduleTime: last, nextScheduleTime: next } = schedule;
  const states = Object.values(schedule.lastScheduleStates ?? {});
  return (
    <tr>
      <td class="wide">
        <WorkflowName url={schedule.destination} />
        <div class="muted">
          <Line text={id} mono />
        </div>
      </td>
      <td class="cron">
        <Line text={schedule.cron} mono />
      </td>
      <td>
        <span class={`tag ${isPaused ? "is-warn" : "is-good"}`}>{isPaused ? "paused" : "running"}</span>{" "}
        {states.includes("FAIL") && <span class="tag is-bad">last failed</span>}
      </td>
      <td class="number">{last === undefined ? <span class="muted">never</span> : <Time at={last} />}</td>
      <td class="number">
        {isPaused || next === undefined ? <span class="muted">–</span> : <Time at={next} />}
      </td>
      <td class="row-buttons">
        <Act small action={switchAction(id, !isPaused, reload)}>
          {isPaused ? "Resume" : "Pause"}
        </Act>
        <ActionButton small onClick={() => edit(schedule, reload)}>
          Edit…
        </ActionButton>
        <ActionButton
          small
          onClick={() =>
            confirmAction({
              title: "Delete the schedule?",
              text: "Messages and runs that it has started continue.",
              verb: "Delete",
              action: {
                target: `/v2/schedules/${encodeURIComponent(id)}`,
                options: { method: "DELETE" },
                done: () => ({ text: "The schedule is deleted" }),
                after: reload,
              },
            })
          }
        >
          Delete
        </ActionButton>
      </td>
    </tr>
  );
}

function switchAction(id: string, paused: boolean, after: () => void): Action {
  return {
    target: `/v2/schedules/${encodeURIComponent(id)}/${paused ? "pause" : "resume"}`,
    options: { method: "POST" },
    done: () => ({ text: paused ? "The schedule is paused" : "The schedule is resumed" }),
    after,
  };
}

function edit(schedule: Schedule | undefined, after: () => void): void {
  openForm({
    title: schedule ? "Edit the schedule" : "Make a schedule",
    verb: schedule ? "Save" : "Make",
    fields: [
      {
        name: "destination",
        label: "Destination",
        value: schedule?.destination ?? "",
        hint: "The URL of a workflow, or of anything else.",
        required: true,
      },
      {
        name: "cron",
        label: "Cron",
        value: schedule?.cron ?? "",
        hint: "In UTC, or with a zone in front: CRON_TZ=Europe/Berlin 0 8 * * *",
        required: true,
      },
      { name: "body", label: "Body", type: "lines", value: schedule?.body ?? "" },
      { name: "retries", label: "Retries", type: "number", value: String(schedule?.retries ?? 3) },
    ],
    toAction: ({ destination = "", cron = "", body = "", retries = "" }) => ({
      target: `/v2/schedules/${destination}`,
      options: {
        method: "POST",
        body,
        headers: {
          [HEADER.cron]: cron,
          ...(retries === "" ? {} : { [HEADER.retries]: retries }),
          ...(schedule ? kept(schedule) : {}),
        },
      },
      done: () => ({ text: schedule ? "The schedule is changed" : "The schedule is made" }),
      after,
    }),
  });
}

/** The schedule keeps every option that the form doesn't show. */
function kept(schedule: Schedule): Record<string, string> {
  const options: Record<string, string | number | undefined> = {
    [HEADER.scheduleId]: schedule.scheduleId,
    [HEADER.method]: schedule.method,
    [HEADER.retryDelay]: schedule.retryDelayExpression,
    [HEADER.delay]: schedule.delay === undefined ? undefined : `${schedule.delay}s`,
    [HEADER.callback]: schedule.callback,
    [HEADER.failureCallback]: schedule.failureCallback,
    [HEADER.queueName]: schedule.queueName,
    [HEADER.label]: schedule.labels?.join(),
    [HEADER.flowControlKey]: schedule.flowControlKey,
    [HEADER.flowControlValue]: flowOf(schedule),
  };
  for (const [name, values] of Object.entries(schedule.header ?? {})) {
    const isType = name.toLowerCase() === "content-type";
    options[isType ? HEADER.contentType : `${PREFIX.forward}${name}`] = values.join(", ");
  }
  return Object.fromEntries(
    Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  );
}

function flowOf({ parallelism, rate, period }: Schedule): string | undefined {
  const parts = Object.entries({ parallelism, rate, period }).filter(([, value]) => value !== undefined);
  return parts.length === 0 ? undefined : parts.map(([name, value]) => `${name}=${value}`).join(", ");
}
