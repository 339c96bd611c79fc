import { HEADER } from "@perdure/core/protocol";
import { useEffect, useState } from "preact/hooks";
import { ask, queryOf } from "../api/http.ts";
import type { Overview, RunPage } from "../api/types.ts";
import { prettyJson } from "../format/json.ts";
import { runPath } from "../router.ts";
import { type Action, act, CurlButton } from "../ui/action.tsx";
import { ActionButton, Button } from "../ui/button.tsx";
import { closeDialog, DialogHead, Field, openDialog } from "../ui/dialog.tsx";

/** Asks for a workflow and a payload, and starts a run. */
export function openStartDialog(url = ""): void {
  openDialog(() => <StartDialog url={url} />);
}

type Started = { readonly workflowRunId: string; readonly workflowCreatedAt: number };

/** The workflow that the form was used for last, in this browser. */
const LAST_URL = "perdure.start.url";

function StartDialog({ url: given }: { readonly url: string }) {
  const [url, setUrl] = useState(given || (localStorage.getItem(LAST_URL) ?? ""));
  const [payload, setPayload] = useState("");
  const [isEdited, setEdited] = useState(false);
  const [label, setLabel] = useState("");
  const isUrl = URL.canParse(url) && /^https?:/.test(url);
  useEffect(() => {
    if (!isUrl || isEdited) return undefined;
    const abort = new AbortController();
    lastPayload(url, abort.signal).then(
      (last) => setPayload(prettyJson(last)),
      () => {},
    );
    return () => abort.abort();
  }, [url, isUrl, isEdited]);
  const action: Action<Started> = {
    target: `/v2/trigger/${url}`,
    options: {
      method: "POST",
      body: payload,
      headers: label === "" ? {} : { [HEADER.label]: label },
    },
    done: ({ workflowRunId, workflowCreatedAt }) => ({
      text: "The run has started",
      to: runPath(workflowRunId, workflowCreatedAt),
      toLabel: "Open it",
    }),
    after: () => localStorage.setItem(LAST_URL, url),
  };
  return (
    <>
      <DialogHead title="Start a run" />
      <div class="dialog-body">
        <Field label="Workflow" hint="The URL at which your app serves it.">
          {(id) => (
            <input
              id={id}
              class="mono"
              type="url"
              list="known-workflows"
              placeholder="http://localhost:3000/order"
              value={url}
              onInput={({ currentTarget }) => setUrl(currentTarget.value.trim())}
            />
          )}
        </Field>
        <Field
          label="Payload"
          hint={isEdited ? undefined : "The payload of the workflow's last run, where there is one."}
        >
          {(id) => (
            <textarea
              id={id}
              class="mono"
              rows={10}
              spellcheck={false}
              value={payload}
              onInput={({ currentTarget }) => {
                setEdited(true);
                setPayload(currentTarget.value);
              }}
            />
          )}
        </Field>
        <Field label="Label (optional)">
          {(id) => (
            <input id={id} value={label} onInput={({ currentTarget }) => setLabel(currentTarget.value)} />
          )}
        </Field>
      </div>
      <footer class="dialog-foot">
        <CurlButton action={action} />
        <span class="grow" />
        <Button onClick={closeDialog}>Close</Button>
        <ActionButton
          look="primary"
          icon="play"
          disabled={!isUrl}
          onClick={async () => {
            if (await act(action)) closeDialog();
          }}
        >
          Start
        </ActionButton>
      </footer>
    </>
  );
}

/** The payload of a workflow's newest run. */
async function lastPayload(url: string, signal: AbortSignal): Promise<string | undefined> {
  const { runs } = await ask<RunPage>(`/v2/workflows/runs${queryOf({ workflowUrl: url, count: 1 })}`, {
    signal,
  });
  const [last] = runs;
  if (!last) return undefined;
  const query = queryOf({ workflowCreatedAt: last.workflowRunCreatedAt });
  const target = `/v2/workflows/runs/${encodeURIComponent(last.workflowRunId)}/overview${query}`;
  return (await ask<Overview>(target, { signal })).payload;
}
