import type { ComponentChildren } from "preact";
import { ask } from "../api/http.ts";
import { useResource } from "../api/resource.ts";
import type { Overview } from "../api/types.ts";
import { plural, visible } from "../format/text.ts";
import { duration, now } from "../format/time.ts";
import { path, query, runPath } from "../router.ts";
import { CurlButton, confirmAction } from "../ui/action.tsx";
import { ActionButton } from "../ui/button.tsx";
import { HeadersView } from "../ui/headers-view.tsx";
import { Payload } from "../ui/json-view.tsx";
import { Link } from "../ui/link.tsx";
import { ErrorBox, Loaded } from "../ui/states.tsx";
import { RUN_LOOKS, Status } from "../ui/status.tsx";
import { CopyButton, Line, Time, WorkflowName } from "../ui/text.tsx";
import { CancelStory } from "./cancel-story.tsx";
import { Remedies } from "./remedies.tsx";
import { cancelRunAction } from "./run-actions.tsx";
import { FailureStory } from "./story.tsx";
import { type Steps, useSteps } from "./use-steps.ts";
import { Waits } from "./waits.tsx";
import { Waterfall } from "./waterfall.tsx";

/** The id of a run in the path of its page. */
export function runIdIn(page: string): string {
  const [, , id = ""] = page.split("/");
  try {
    return decodeURIComponent(id);
  } catch {
    return id; // The address has a percent sign that begins no code.
  }
}

/** A run: its story when it failed, what it waits for while it lives, and its steps in time. */
export function RunPage() {
  const id = runIdIn(path.value);
  const at = query.value.get("at");
  const search = at === null ? "" : `?workflowCreatedAt=${encodeURIComponent(at)}`;
  const run = useResource(
    `run:${id}:${at}`,
    (signal) => ask<Overview>(`/v2/workflows/runs/${encodeURIComponent(id)}/overview${search}`, { signal }),
    { names: ["run", "message", "dlq"], runId: id },
  );
  return (
    <main id="main" tabIndex={-1} class="run-page">
      <nav class="crumbs" aria-label="Breadcrumbs">
        <Link to="/runs">Runs</Link>
        <span aria-hidden="true">/</span>
        <bdi class="mono">{visible(id)}</bdi>
      </nav>
      {run.data === undefined && <h1 class="hidden">Run {visible(id)}</h1>}
      <Loaded of={run} rows={8}>
        {(overview) => <Run run={overview} reload={run.reload} />}
      </Loaded>
    </main>
  );
}

interface RunProps {
  readonly run: Overview;
  readonly reload: () => void;
}

function Run({ run, reload }: RunProps) {
  const steps = useSteps(run, `${run.workflowState}:${run.rollbacks?.length ?? 0}`);
  const hasFailed = run.workflowState === "RUN_FAILED";
  return (
    <>
      <Head run={run} reload={reload} />
      <div class="run-columns">
        <div class="run-main">
          {hasFailed && <FailureStory run={run} steps={steps.steps} />}
          {run.workflowState === "RUN_CANCELED" && <CancelStory run={run} />}
          {!hasFailed && <Waits run={run} reload={reload} />}
          <Result run={run} />
          <StepsSection run={run} steps={steps} />
          {!hasFailed && (
            <section class="card">
              <Payload text={run.payload} label="Payload" />
              <HeadersView headers={run.payloadHeaders} label="Payload" />
            </section>
          )}
        </div>
        <aside class="run-side" aria-label="About this run">
          {hasFailed && <Remedies run={run} steps={steps.steps} reload={reload} />}
          {hasFailed && <Waits run={run} reload={reload} />}
          <Facts run={run} />
        </aside>
      </div>
    </>
  );
}

function Head({ run, reload }: RunProps) {
  const isLive = run.workflowState === "RUN_STARTED";
  const cancel = cancelRunAction(run, reload);
  return (
    <header class="run-head">
      <div>
        <h1>
          <WorkflowName url={run.workflowUrl} />
        </h1>
        <p class="run-meta">
          <Status look={RUN_LOOKS[run.workflowState]} big />
          <span>
            started <Time at={run.workflowRunCreatedAt} />
          </span>
          <span>
            {isLive ? "for " : "took "}
            {duration((run.workflowRunCompletedAt ?? now.value) - run.workflowRunCreatedAt)}
          </span>
          <span>{plural(run.stepCount, "step")}</span>
          {run.labels?.map((label) => (
            <Link key={label} to={`/runs?label=${encodeURIComponent(label)}`} class="tag">
              <Line text={label} />
            </Link>
          ))}
        </p>
      </div>
      {isLive && (
        <div class="run-buttons">
          <CurlButton action={cancel} />
          <ActionButton
            icon="stop"
            look="danger"
            onClick={() =>
              confirmAction({
                title: "Cancel the run?",
                text: "The steps that are done stay done. The run can't go on afterwards.",
                verb: "Cancel the run",
                action: cancel,
              })
            }
          >
            Cancel…
          </ActionButton>
        </div>
      )}
    </header>
  );
}

function Result({ run }: { readonly run: Overview }) {
  if (run.workflowState !== "RUN_SUCCESS") return null;
  return (
    <section class="card">
      <Payload text={run.workflowRunResponse} label="Result" />
    </section>
  );
}

function StepsSection({ run, steps }: { readonly run: Overview; readonly steps: Steps }) {
  return (
    <section class="card" aria-labelledby="steps-title">
      <h2 id="steps-title">Steps</h2>
      {steps.error && <ErrorBox error={steps.error} retry={steps.reload} />}
      <Waterfall run={run} steps={steps.steps} isComplete={steps.isComplete} />
    </section>
  );
}

function Facts({ run }: { readonly run: Overview }) {
  const { workflowRunId: id, invoker, children = [], resumedFrom, resumedAs } = run;
  return (
    <section class="facts">
      <h2 class="eyebrow">About this run</h2>
      <dl>
        <Fact name="Run">
          <bdi class="mono wrap">{id}</bdi>
          <CopyButton text={id} label="run id" />
        </Fact>
        <Fact name="Endpoint">
          <bdi class="mono wrap">{run.workflowUrl}</bdi>
        </Fact>
        <Fact name="Started">
          <Time at={run.workflowRunCreatedAt} clock />
        </Fact>
        {run.workflowRunCompletedAt !== undefined && (
          <Fact name="Ended">
            <Time at={run.workflowRunCompletedAt} clock />
          </Fact>
        )}
        {run.deadline !== undefined && (
          <Fact name="Must end by">
            <Time at={run.deadline} clock />
          </Fact>
        )}
        {run.flowControlKey !== undefined && (
          <Fact name="Flow control">
            <Link to={`/flow-control?search=${encodeURIComponent(run.flowControlKey)}`}>
              <Line text={run.flowControlKey} mono />
            </Link>
          </Fact>
        )}
        {run.workflowRunCallerIp !== undefined && <Fact name="Started by">{run.workflowRunCallerIp}</Fact>}
        {run.inline !== undefined && (
          <Fact name="Execution">
            {run.inline ? "inline: many steps in one delivery" : "one step in each delivery"}
          </Fact>
        )}
        {invoker && (
          <Fact name="Invoked by">
            <Link to={runPath(invoker.workflowRunId, invoker.workflowRunCreatedAt)} class="mono">
              {invoker.workflowRunId}
            </Link>
          </Fact>
        )}
        {resumedFrom !== undefined && (
          <Fact name="Continues">
            <Link to={runPath(resumedFrom)} class="mono">
              {resumedFrom}
            </Link>
          </Fact>
        )}
        {resumedAs && (
          <Fact name="Went on as">
            <Link to={runPath(resumedAs.workflowRunId, resumedAs.workflowRunCreatedAt)} class="mono">
              {resumedAs.workflowRunId}
            </Link>
          </Fact>
        )}
        {children.length > 0 && (
          <Fact name="Invoked runs">
            {children.map((child) => (
              <Link
                key={`${child.workflowRunId}@${child.workflowRunCreatedAt}`}
                to={runPath(child.workflowRunId, child.workflowRunCreatedAt)}
                class="child-link"
              >
                <Status look={RUN_LOOKS[child.workflowState]} /> <Line text={child.stepName} />
              </Link>
            ))}
          </Fact>
        )}
      </dl>
    </section>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
