import { useState } from "preact/hooks";
import type { Overview, Step } from "../api/types.ts";
import { parseJson, prettyJson } from "../format/json.ts";
import { oneLine } from "../format/text.ts";
import { act, CurlButton } from "../ui/action.tsx";
import { ActionButton, Button } from "../ui/button.tsx";
import { closeDialog, DialogHead, Field, openDialog } from "../ui/dialog.tsx";
import { restartAction, resumeAction } from "./run-actions.tsx";
import { editableResult } from "./step-result.ts";

interface EditProps {
  readonly dlqId: string;
  readonly run: Overview;
  readonly steps: readonly Step[];
}

/** Asks for another payload, and other results of recorded steps, before a failed run goes on. */
export function openEditDialog(props: EditProps): void {
  openDialog(() => <EditDialog {...props} />);
}

function EditDialog({ dlqId, run, steps }: EditProps) {
  const [payload, setPayload] = useState(prettyJson(run.payload));
  const [changed, setChanged] = useState<ReadonlyMap<number, string>>(new Map());
  const recorded = steps.filter(isEditable);
  const payloadBody = payload === prettyJson(run.payload) ? {} : { payload };
  const bad = [...changed.values()].some((text) => parseJson(text) === undefined);
  const results = [...changed].map(([stepId, text]) => ({ stepId, result: parseJson(text) }));
  const body = { ...payloadBody, ...(results.length > 0 ? { results } : {}) };
  const resume = resumeAction(dlqId, body);
  const restart = restartAction(dlqId, payloadBody);
  const change = (id: number, text: string): void => setChanged(new Map(changed).set(id, text));
  return (
    <>
      <DialogHead title="Go on with changes" />
      <div class="dialog-body">
        <Field label="Payload" hint="The workflow gets this string, as it stands here.">
          {(id) => (
            <textarea
              id={id}
              class="mono"
              rows={8}
              spellcheck={false}
              value={payload}
              onInput={({ currentTarget }) => setPayload(currentTarget.value)}
            />
          )}
        </Field>
        {recorded.length > 0 && (
          <fieldset>
            <legend>Results of recorded steps, for a resumed run</legend>
            {recorded.map((step) => {
              const stepId = step.stepId ?? 0;
              const text = changed.get(stepId) ?? prettyJson(editableResult(step));
              const isBad = changed.has(stepId) && parseJson(text) === undefined;
              return (
                <details key={stepId}>
                  <summary>{oneLine(step.stepName ?? "")}</summary>
                  <Field label="Result as JSON" error={isBad ? "This is no JSON." : undefined}>
                    {(id) => (
                      <textarea
                        id={id}
                        class="mono"
                        rows={5}
                        spellcheck={false}
                        value={text}
                        onInput={({ currentTarget }) => change(stepId, currentTarget.value)}
                      />
                    )}
                  </Field>
                </details>
              );
            })}
          </fieldset>
        )}
      </div>
      <footer class="dialog-foot">
        <CurlButton action={resume} />
        <span class="grow" />
        <Button onClick={closeDialog}>Close</Button>
        <ActionButton
          disabled={results.length > 0}
          title="Begins at the first step, with this payload"
          onClick={async () => {
            if (await act(restart)) closeDialog();
          }}
        >
          Restart
        </ActionButton>
        <ActionButton
          look="primary"
          disabled={bad}
          onClick={async () => {
            if (await act(resume)) closeDialog();
          }}
        >
          Resume
        </ActionButton>
      </footer>
    </>
  );
}

/** The results that a resumed run keeps, and that are JSON. More of them than this fit no dialog. */
function isEditable(step: Step, at: number): boolean {
  const { stepId, stepType, state, rollback } = step;
  if (stepType === "Initial" || stepId === undefined || rollback !== undefined) return false;
  return state === "STEP_SUCCESS" && parseJson(editableResult(step)) !== undefined && at < MOST_EDITABLE;
}

const MOST_EDITABLE = 200;
