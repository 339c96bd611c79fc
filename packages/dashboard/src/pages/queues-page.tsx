import { ask } from "../api/http.ts";
import { useResource } from "../api/resource.ts";
import type { Queue } from "../api/types.ts";
import { Act, type Action, confirmAction } from "../ui/action.tsx";
import { ActionButton } from "../ui/button.tsx";
import { openForm } from "../ui/form-dialog.tsx";
import { PageHead } from "../ui/page-head.tsx";
import { Empty, Loaded } from "../ui/states.tsx";
import { Line, Time } from "../ui/text.tsx";

/** The queues: what waits in them, how many they deliver at once, and whether they do. */
export function QueuesPage() {
  const queues = useResource("queues", (signal) => ask<readonly Queue[]>("/v2/queues", { signal }), {
    names: ["queue", "message"],
  });
  return (
    <main id="main" tabIndex={-1}>
      <PageHead title="Queues" text="A queue delivers its messages in order, a number of them at once.">
        <ActionButton icon="plus" look="primary" onClick={() => editQueue(undefined, queues.reload)}>
          Make a queue
        </ActionButton>
      </PageHead>
      <Loaded of={queues}>
        {(all) =>
          all.length === 0 ? (
            <Empty icon="queue" title="No queues">
              <p>A queue appears when a message is enqueued, or when you make one.</p>
            </Empty>
          ) : (
            <div class="table-scroll">
              <table class="rows">
                <thead>
                  <tr>
                    <th>Queue</th>
                    <th>State</th>
                    <th class="number">Waiting</th>
                    <th class="number">At once</th>
                    <th class="number">Made</th>
                    <th>
                      <span class="hidden">Actions</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {all.map((queue) => (
                    <QueueRow key={queue.name} queue={queue} reload={queues.reload} />
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
  readonly queue: Queue;
  readonly reload: () => void;
}

function QueueRow({ queue, reload }: RowProps) {
  const { name, paused, lag, parallelism } = queue;
  return (
    <tr>
      <td class="wide">
        <Line text={name} mono />
      </td>
      <td>
        <span class={`tag ${paused ? "is-warn" : "is-good"}`}>{paused ? "paused" : "running"}</span>
      </td>
      <td class="number">{lag.toLocaleString("en")}</td>
      <td class="number">{parallelism}</td>
      <td class="number">
        <Time at={queue.createdAt} />
      </td>
      <td class="row-buttons">
        <Act small action={switchAction(name, !paused, reload)}>
          {paused ? "Resume" : "Pause"}
        </Act>
        <ActionButton small onClick={() => editQueue(queue, reload)}>
          Edit…
        </ActionButton>
        <ActionButton
          small
          onClick={() =>
            confirmAction({
              title: "Delete the queue?",
              text: `Its messages that wait (${lag}) are cancelled.`,
              verb: "Delete",
              action: {
                target: `/v2/queues/${encodeURIComponent(name)}`,
                options: { method: "DELETE" },
                done: () => ({ text: "The queue is deleted" }),
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

function switchAction(name: string, paused: boolean, after: () => void): Action {
  return {
    target: `/v2/queues/${encodeURIComponent(name)}/${paused ? "pause" : "resume"}`,
    options: { method: "POST" },
    done: () => ({ text: paused ? "The queue is paused" : "The queue is resumed" }),
    after,
  };
}

function editQueue(queue: Queue | undefined, after: () => void): void {
  openForm({
    title: queue ? "Edit the queue" : "Make a queue",
    verb: queue ? "Save" : "Make",
    fields: [
      {
        name: "name",
        label: "Name",
        value: queue?.name ?? "",
        readOnly: queue !== undefined,
        required: true,
      },
      {
        name: "parallelism",
        label: "Messages at once",
        type: "number",
        value: String(queue?.parallelism ?? 1),
        required: true,
      },
    ],
    toAction: ({ name, parallelism }) => ({
      target: "/v2/queues",
      options: { method: "POST", body: { queueName: name, parallelism: Number(parallelism) } },
      done: () => ({ text: queue ? "The queue is changed" : "The queue is made" }),
      after,
    }),
  });
}
