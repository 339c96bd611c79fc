import type { PendingMessage, Waiter } from "../api/types.ts";
import { runPath } from "../router.ts";
import { openEventDialog } from "../run/waits.tsx";
import { ActionButton } from "../ui/button.tsx";
import { Link } from "../ui/link.tsx";
import { More } from "../ui/more.tsx";
import { PageHead } from "../ui/page-head.tsx";
import { moveAmongRows } from "../ui/rows.ts";
import { Empty, Loaded } from "../ui/states.tsx";
import { Line, Time, WorkflowName } from "../ui/text.tsx";
import { usePages } from "./use-pages.ts";

const PAGE_SIZE = 50;

/** The events and webhooks that runs wait for, and the messages that aren't at their end. */
export function WaitingPage() {
  return (
    <main id="main" tabIndex={-1}>
      <PageHead
        title="Waiting"
        text="Events and webhooks that runs wait for, and messages that wait for their delivery."
      >
        <ActionButton icon="flag" look="primary" onClick={() => openEventDialog("")}>
          Send an event
        </ActionButton>
      </PageHead>
      <Waiters />
      <Pending />
    </main>
  );
}

function Waiters() {
  const pages = usePages<Waiter>({
    target: "/v2/workflows/waiters",
    query: { count: PAGE_SIZE },
    list: "waiters",
    keyOf: (waiter) =>
      `${waiter.workflowRunId}@${waiter.workflowRunCreatedAt}:${waiter.eventId}:${waiter.stepName}`,
    live: { names: ["run"] },
  });
  return (
    <section aria-labelledby="waiters-title">
      <h2 id="waiters-title">Events and webhooks</h2>
      <Loaded of={{ ...pages, loading: false }} rows={4}>
        {(waiters) =>
          waiters.length === 0 ? (
            <Empty icon="flag" title="No run waits for an event">
              <p>A run that calls context.waitForEvent or waits for a webhook appears here.</p>
            </Empty>
          ) : (
            <div class="table-scroll">
              <table class="rows" onKeyDown={moveAmongRows}>
                <thead>
                  <tr>
                    <th>Event</th>
                    <th>Step</th>
                    <th>Run</th>
                    <th class="number">Since</th>
                    <th class="number">Until</th>
                    <th>
                      <span class="hidden">Actions</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {waiters.map((waiter) => (
                    <WaiterRow
                      key={`${waiter.workflowRunId}@${waiter.workflowRunCreatedAt}:${waiter.eventId}`}
                      waiter={waiter}
                    />
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Loaded>
      <More pages={pages} />
    </section>
  );
}

function WaiterRow({ waiter }: { readonly waiter: Waiter }) {
  return (
    <tr>
      <td>
        <Line text={waiter.eventId} mono /> {waiter.webhook && <span class="tag">webhook</span>}
      </td>
      <td>
        <Line text={waiter.stepName} />
      </td>
      <td class="wide">
        <WorkflowName url={waiter.workflowUrl} />
        <div>
          <Link row to={runPath(waiter.workflowRunId, waiter.workflowRunCreatedAt)} class="mono">
            <Line text={waiter.workflowRunId} />
          </Link>
        </div>
      </td>
      <td class="number">
        <Time at={waiter.createdAt} />
      </td>
      <td class="number">
        <Time at={waiter.deadline} />
      </td>
      <td class="row-buttons">
        <ActionButton small onClick={() => openEventDialog(waiter.eventId, waiter.workflowRunId)}>
          {waiter.webhook ? "Complete…" : "Send to this run…"}
        </ActionButton>
        {!waiter.webhook && (
          <ActionButton small onClick={() => openEventDialog(waiter.eventId)}>
            To all…
          </ActionButton>
        )}
      </td>
    </tr>
  );
}

function Pending() {
  const pages = usePages<PendingMessage>({
    target: "/v2/workflows/pending",
    query: { count: PAGE_SIZE },
    list: "messages",
    keyOf: ({ messageId }) => messageId,
    live: { names: ["run", "message"] },
  });
  return (
    <section aria-labelledby="pending-title">
      <h2 id="pending-title">Messages</h2>
      <Loaded of={{ ...pages, loading: false }} rows={4}>
        {(messages) =>
          messages.length === 0 ? (
            <p class="muted">No message waits for its delivery.</p>
          ) : (
            <div class="table-scroll">
              <table class="rows" onKeyDown={moveAmongRows}>
                <thead>
                  <tr>
                    <th>State</th>
                    <th>Message</th>
                    <th>Held by</th>
                    <th class="number">Attempt</th>
                    <th class="number">Next</th>
                  </tr>
                </thead>
                <tbody>
                  {messages.map((message) => (
                    <PendingRow key={message.messageId} message={message} />
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Loaded>
      <More pages={pages} />
    </section>
  );
}

function PendingRow({ message }: { readonly message: PendingMessage }) {
  const { workflowRunId: runId, queueName, flowControlKey: key } = message;
  return (
    <tr>
      <td>
        <span class="tag">{message.status}</span>
      </td>
      <td class="wide">
        <WorkflowName url={message.url} />
        <div>
          {runId === undefined ? (
            <span class="muted mono">{message.messageId}</span>
          ) : (
            <Link row to={runPath(runId, message.workflowRunCreatedAt)} class="mono">
              <Line text={runId} />
            </Link>
          )}
        </div>
      </td>
      <td>
        {queueName !== undefined && (
          <Link to="/queues">
            <Line text={queueName} />
          </Link>
        )}{" "}
        {key !== undefined && (
          <Link to={`/flow-control?search=${encodeURIComponent(key)}`}>
            <Line text={key} />
          </Link>
        )}
      </td>
      <td class="number">
        {message.attempt} of {Math.max(message.attempt, message.retries + 1)}
      </td>
      <td class="number">
        <Next message={message} />
      </td>
    </tr>
  );
}

/** Messages that something else than time holds back. Their time is when they were due. */
const HELD: ReadonlySet<string> = new Set(["queued", "throttled", "deferred"]);

function Next({ message: { status, at } }: { readonly message: PendingMessage }) {
  if (status === "delivering") return <span class="muted">under way</span>;
  if (at === undefined) return <span class="muted">not due</span>;
  if (!HELD.has(status)) return <Time at={at} />;
  return (
    <span class="muted">
      due <Time at={at} />
    </span>
  );
}
