import type { Overview, Step } from "../api/types.ts";
import { plural } from "../format/text.ts";
import { Act, CurlButton, confirmAction } from "../ui/action.tsx";
import { ActionButton } from "../ui/button.tsx";
import { openEditDialog } from "./edit-dialog.tsx";
import {
  callFailureFunctionAction,
  cancelReportAction,
  deleteDeadLetterAction,
  restartAction,
  resumeAction,
  retryRollbacksAction,
} from "./run-actions.tsx";
import { REMEDIES } from "./story.tsx";

interface RemediesProps {
  readonly run: Overview;
  readonly steps: readonly Step[];
  readonly reload: () => void;
}

/** Lists the actions for a failed run, the likeliest first. */
export function Remedies({ run, steps, reload }: RemediesProps) {
  const { dlqId, failureFunction, rollbacks = [] } = run;
  if (dlqId === undefined) return null;
  const kept = steps.filter(
    ({ state, stepType, rollback }) =>
      state === "STEP_SUCCESS" && stepType !== "Initial" && rollback?.state !== "done",
  ).length;
  const resume = resumeAction(dlqId);
  const restart = restartAction(dlqId);
  return (
    <section id={REMEDIES} class="remedies" aria-label="What to do">
      <h2 class="eyebrow">What to do</h2>
      <div class="choice">
        <Act look="primary" icon="play" action={resume}>
          Resume
        </Act>
        <CurlButton action={resume} />
        <p class="muted">
          Goes on where it failed.{" "}
          {kept === 0
            ? "No recorded step is kept."
            : `${plural(kept, "recorded result is", "recorded results are")} kept.`}
        </p>
      </div>
      <div class="choice">
        <ActionButton icon="edit" onClick={() => openEditDialog({ dlqId, run, steps })}>
          Resume with changes…
        </ActionButton>
        <p class="muted">With another payload, or other results of steps.</p>
      </div>
      <div class="choice">
        <Act icon="retry" action={restart}>
          Restart
        </Act>
        <CurlButton action={restart} />
        <p class="muted">Begins again with the same payload.</p>
      </div>
      {rollbacks.some(({ state }) => state === "failed") && (
        <div class="choice">
          <Act icon="undo" action={retryRollbacksAction(dlqId, reload)}>
            Retry the rollbacks
          </Act>
          <p class="muted">Only those that failed.</p>
        </div>
      )}
      {(failureFunction?.state === "CALLBACK_FAIL" || failureFunction?.state === "CALLBACK_CANCELED") && (
        <div class="choice">
          <Act icon="flag" action={callFailureFunctionAction(dlqId, reload)}>
            Call the failure function again
          </Act>
        </div>
      )}
      {failureFunction?.state === "CALLBACK_INPROGRESS" && (
        <div class="choice">
          <Act icon="stop" action={cancelReportAction(dlqId, reload)}>
            Stop calling the failure function
          </Act>
        </div>
      )}
      <div class="choice">
        <ActionButton
          icon="trash"
          look="danger"
          onClick={() =>
            confirmAction({
              title: "Delete the dead letter?",
              text: "The run stays in the list as failed. It can't be resumed or restarted any more.",
              verb: "Delete",
              action: deleteDeadLetterAction(dlqId, reload),
            })
          }
        >
          Delete
        </ActionButton>
      </div>
    </section>
  );
}
