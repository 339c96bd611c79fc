import { ask } from "../api/http.ts";
import { useResource } from "../api/resource.ts";
import type { DeadLetter, DeadLetterGroup } from "../api/types.ts";
import { parseJson } from "../format/json.ts";
import { plural } from "../format/text.ts";
import { query, runPath } from "../router.ts";
import { toErrorInfo } from "../run/error-info.ts";
import { deleteDeadLetterAction, restartAction, resumeAction } from "../run/run-actions.tsx";
import { errorLine } from "../run/story.tsx";
import { Act, type Action, confirmAction } from "../ui/action.tsx";
import { ActionButton } from "../ui/button.tsx";
import { Link } from "../ui/link.tsx";
import { More } from "../ui/more.tsx";
import { PageHead } from "../ui/page-head.tsx";
import { moveAmongRows } from "../ui/rows.ts";
import { Empty, Loaded } from "../ui/states.tsx";
import { REPORT_LOOKS, Status } from "../ui/status.tsx";
import { Line, Time, WorkflowName } from "../ui/text.tsx";
import { openGroupDialog } from "./group-dialog.tsx";
import { usePages } from "./use-pages.ts";

/** Shows the runs and messages that failed for good: the groups by error, then the entries of one error, or all. */
export function DeadLettersPage() {
  const fingerprint = query.value.get("fingerprint") ?? undefined;
  const groups = useResource(
    "dlq-groups",
    (signal) => ask<{ readonly groups: readonly DeadLetterGroup[] }>("/v2/dlq/groups", { signal }),
    { names: ["dlq"] },
  );
  const chosen = groups.data?.groups.find((group) => group.fingerprint === fingerprint);
  return (
    <main id="main" tabIndex={-1}>
      <PageHead title="Dead letters" text="Runs and messages that failed for good, grouped by their error." />
      <Loaded of={groups}>
        {({ groups: all }) =>
          all.length === 0 ? (
            <Empty icon="inbox" title="No dead letters">
              <p>A run comes here when its retries are exhausted. You can resume or restart it from here.</p>
            </Empty>
          ) : (
            <>
              <ul class="groups" aria-label="Failures by error" onKeyDown={moveAmongRows}>
                {all.map((group) => (
                  <Group
                    key={group.fingerprint}
                    group={group}
                    isChosen={group === chosen}
                    reload={groups.reload}
                  />
                ))}
              </ul>
              <Letters
                key={fingerprint}
                fingerprint={fingerprint}
                title={chosen && errorLine(toError(chosen))}
              />
            </>
          )
        }
      </Loaded>
    </main>
  );
}

function toError({ errorName, message }: DeadLetterGroup): {
  readonly name?: string;
  readonly message: string;
} {
  return errorName === undefined ? { message } : { name: errorName, message };
}

interface GroupProps {
  readonly group: DeadLetterGroup;
  readonly isChosen: boolean;
  readonly reload: () => void;
}

function Group({ group, isChosen, reload }: GroupProps) {
  const { fingerprint, count, stepName, workflowUrl, url } = group;
  const address = workflowUrl ?? url;
  return (
    <li class={`group ${isChosen ? "is-chosen" : ""}`}>
      <span class="group-count">{count.toLocaleString("en")}</span>
      <div class="group-text">
        <Link
          row
          current={isChosen}
          to={isChosen ? "/dead-letters" : `/dead-letters?fingerprint=${encodeURIComponent(fingerprint)}`}
          class="group-title"
        >
          <Line text={errorLine(toError(group))} />
        </Link>
        <p class="muted">
          {stepName !== undefined && (
            <>
              in step <Line text={stepName} />{" "}
            </>
          )}
          {address !== undefined && <WorkflowName url={address} />}
        </p>
      </div>
      <p class="group-times muted">
        first <Time at={group.firstSeen} />
        <br />
        last <Time at={group.lastSeen} />
      </p>
      <div class="row-buttons">
        {workflowUrl === undefined ? (
          <ActionButton small icon="retry" onClick={() => openGroupDialog({ verb: "retry", group, reload })}>
            Retry all…
          </ActionButton>
        ) : (
          <>
            <ActionButton
              small
              icon="play"
              onClick={() => openGroupDialog({ verb: "resume", group, reload })}
            >
              Resume all…
            </ActionButton>
            <ActionButton
              small
              icon="retry"
              onClick={() => openGroupDialog({ verb: "restart", group, reload })}
            >
              Restart all…
            </ActionButton>
          </>
        )}
        <ActionButton small icon="trash" onClick={() => openGroupDialog({ verb: "delete", group, reload })}>
          Delete all…
        </ActionButton>
      </div>
    </li>
  );
}

const PAGE_SIZE = 50;

interface LettersProps {
  readonly fingerprint: string | undefined;
  readonly title: string | undefined;
}

function Letters({ fingerprint, title }: LettersProps) {
  const pages = usePages<DeadLetter>({
    target: "/v2/dlq",
    query: { fingerprint, count: PAGE_SIZE },
    list: "messages",
    keyOf: ({ dlqId }) => dlqId,
    live: { names: ["dlq"] },
  });
  return (
    <section aria-labelledby="letters-title">
      <h2 id="letters-title">{title === undefined ? "All entries" : <Line text={title} />}</h2>
      <Loaded of={{ ...pages, loading: false }}>
        {(letters) => (
          <>
            <div class="table-scroll">
              <table class="rows" onKeyDown={moveAmongRows}>
                <thead>
                  <tr>
                    <th>What</th>
                    <th>Error</th>
                    <th>Failure function</th>
                    <th class="number">Failed</th>
                    <th>
                      <span class="hidden">Actions</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {letters.map((letter) => (
                    <Letter key={letter.dlqId} letter={letter} reload={pages.reload} />
                  ))}
                </tbody>
              </table>
            </div>
            {letters.length === 0 && <p class="muted">{plural(0, "entry", "entries")}</p>}
            <More pages={pages} />
          </>
        )}
      </Loaded>
    </section>
  );
}

interface LetterProps {
  readonly letter: DeadLetter;
  readonly reload: () => void;
}

function Letter({ letter, reload }: LetterProps) {
  const { dlqId, workflowRunId: runId, failureFunctionState: state } = letter;
  const thrown = toErrorInfo(parseJson(letter.responseBody));
  return (
    <tr>
      <td>
        {runId === undefined ? (
          <>
            <WorkflowName url={letter.url} />
            <div class="muted mono">{letter.messageId}</div>
          </>
        ) : (
          <>
            <WorkflowName url={letter.workflowUrl ?? letter.url} />
            <div>
              <Link row to={runPath(runId, letter.workflowCreatedAt)} class="mono">
                <Line text={runId} />
              </Link>
            </div>
          </>
        )}
      </td>
      <td class="wide">
        <div class="row-error">
          <Line text={thrown === undefined ? (plainAnswer(letter) ?? letter.error) : errorLine(thrown)} />
        </div>
        {letter.responseStatus > 0 && <span class="tag">{letter.responseStatus}</span>}
      </td>
      <td>{state ? <Status look={REPORT_LOOKS[state]} /> : <span class="muted">none</span>}</td>
      <td class="number">
        <Time at={letter.failedAt} />
      </td>
      <td class="row-buttons">
        {runId === undefined ? (
          <Act small action={retryAction(dlqId, reload)}>
            Retry
          </Act>
        ) : (
          <>
            <Act small action={resumeAction(dlqId)}>
              Resume
            </Act>
            <Act small action={restartAction(dlqId)}>
              Restart
            </Act>
          </>
        )}
        <ActionButton
          small
          onClick={() =>
            confirmAction({
              title: "Delete the dead letter?",
              text: "It can't be resumed, restarted or retried any more.",
              verb: "Delete",
              action: deleteDeadLetterAction(dlqId, reload),
            })
          }
        >
          Delete
        </ActionButton>
      </td>
    </tr>
  );
}

/** The plain words of an endpoint's answer, as its group shows them. Behind a 2xx, the answer isn't the error. */
function plainAnswer({ responseBody = "", responseStatus }: DeadLetter): string | undefined {
  const text = responseBody.trim();
  return text === "" || (responseStatus >= 200 && responseStatus < 300) || /^[<{[]/.test(text)
    ? undefined
    : text.slice(0, 300);
}

function retryAction(dlqId: string, after: () => void): Action {
  return {
    target: `/v2/dlq/retry/${encodeURIComponent(dlqId)}`,
    options: { method: "POST" },
    done: () => ({ text: "The message is published again" }),
    after,
  };
}
