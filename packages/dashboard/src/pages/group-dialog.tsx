import { useState } from "preact/hooks";
import { ask, queryOf } from "../api/http.ts";
import type { DeadLetterGroup } from "../api/types.ts";
import { plural } from "../format/text.ts";
import { CurlButton } from "../ui/action.tsx";
import { ActionButton, Button } from "../ui/button.tsx";
import { closeDialog, DialogHead, openDialog } from "../ui/dialog.tsx";
import { Line } from "../ui/text.tsx";
import { toast } from "../ui/toast.tsx";

type Verb = "resume" | "restart" | "retry" | "delete";

interface GroupDialogProps {
  readonly verb: Verb;
  readonly group: DeadLetterGroup;
  readonly reload: () => void;
}

const VERBS: Readonly<
  Record<
    Verb,
    { readonly title: string; readonly done: string; readonly method: string; readonly path: string }
  >
> = {
  resume: { title: "Resume", done: "resumed", method: "POST", path: "/v2/workflows/dlq/resume" },
  restart: { title: "Restart", done: "restarted", method: "POST", path: "/v2/workflows/dlq/restart" },
  retry: { title: "Retry", done: "published again", method: "POST", path: "/v2/dlq/retry" },
  delete: { title: "Delete", done: "deleted", method: "DELETE", path: "/v2/dlq" },
};

/** Asks before an action on all dead letters with one error. */
export function openGroupDialog(props: GroupDialogProps): void {
  openDialog(() => <GroupDialog {...props} />);
}

interface Answer {
  readonly workflowRuns?: readonly unknown[];
  readonly responses?: readonly unknown[];
  readonly deleted?: number;
  readonly cursor?: string;
}

function GroupDialog({ verb, group, reload }: GroupDialogProps) {
  const [count, setCount] = useState(0);
  const [error, setError] = useState<string>();
  const { title, done, method, path } = VERBS[verb];
  const filter = { fingerprint: group.fingerprint, toDate: String(group.lastSeen) };
  const run = async (): Promise<void> => {
    let cursor: string | undefined;
    let all = 0;
    try {
      do {
        const page = await ask<Answer>(path + queryOf({ ...filter, cursor }), { method });
        all += page.workflowRuns?.length ?? page.responses?.length ?? page.deleted ?? 0;
        cursor = page.cursor === "" ? undefined : page.cursor;
        setCount(all);
      } while (cursor !== undefined);
      toast({ text: `${plural(all, "entry", "entries")} ${done}` });
      closeDialog();
      reload();
    } catch (cause) {
      setError((cause as Error).message);
    }
  };
  return (
    <>
      <DialogHead title={`${title} all like this?`} />
      <div class="dialog-body">
        <p>
          <strong>{plural(group.count, "entry", "entries")}</strong> with the error{" "}
          <Line text={group.message} />
        </p>
        {count > 0 && (
          <p aria-live="polite">
            {count} {done}…
          </p>
        )}
        {error !== undefined && (
          <p class="field-error" role="alert">
            {error}
          </p>
        )}
      </div>
      <footer class="dialog-foot">
        <CurlButton
          action={{ target: path + queryOf(filter), options: { method }, done: () => ({ text: "" }) }}
        />
        <span class="grow" />
        <Button onClick={closeDialog}>Close</Button>
        <ActionButton look={verb === "delete" ? "danger" : "primary"} onClick={run}>
          {title} {plural(group.count, "entry", "entries")}
        </ActionButton>
      </footer>
    </>
  );
}
