import { useEffect, useState } from "preact/hooks";
import { type ApiError, ask, queryOf } from "../api/http.ts";
import type { RunRow } from "../api/types.ts";
import { plural } from "../format/text.ts";
import { query } from "../router.ts";
import { CurlButton } from "../ui/action.tsx";
import { ActionButton, Button } from "../ui/button.tsx";
import { closeDialog, DialogHead, openDialog } from "../ui/dialog.tsx";
import { toast } from "../ui/toast.tsx";
import { filtersOf, hasFilters } from "./runs-filter.ts";

interface BulkBarProps {
  readonly chosen: readonly RunRow[];
  readonly clear: () => void;
  readonly reload: () => void;
}

type Verb = "cancel" | "resume" | "restart";

const VERBS: Readonly<
  Record<Verb, { readonly title: string; readonly done: string; readonly applies: string }>
> = {
  cancel: { title: "Cancel", done: "cancelled", applies: "running" },
  resume: { title: "Resume", done: "resumed", applies: "failed" },
  restart: { title: "Restart", done: "restarted", applies: "failed" },
};

/** Acts on the runs that are selected, or on all that match the filters, also those that aren't on the page. */
export function BulkBar({ chosen, clear, reload }: BulkBarProps) {
  const isSelection = chosen.length > 0;
  if (!isSelection && !hasFilters(query.value)) return null;
  const start = (verb: Verb): void => {
    const filters = isSelection
      ? { workflowRunId: chosen.map(({ workflowRunId }) => workflowRunId) }
      : filtersOf(query.value);
    openDialog(() => (
      <BulkDialog
        verb={verb}
        filters={{ toDate: String(Date.now()), ...filters }}
        done={() => {
          clear();
          reload();
        }}
      />
    ));
  };
  return (
    <fieldset class="bulk" aria-label="Actions on many runs">
      <span>{isSelection ? `${plural(chosen.length, "run")} selected` : "All runs that match:"}</span>
      {(Object.keys(VERBS) as Verb[]).map((verb) => (
        <ActionButton key={verb} small onClick={() => start(verb)}>
          {VERBS[verb].title}…
        </ActionButton>
      ))}
      {isSelection && (
        <button type="button" class="link" onClick={clear}>
          Clear the selection
        </button>
      )}
    </fieldset>
  );
}

interface BulkDialogProps {
  readonly verb: Verb;
  readonly filters: Readonly<Record<string, string | readonly string[]>>;
  readonly done: () => void;
}

type Bulk = { readonly matched?: number; readonly changed?: number; readonly cursor?: string };

/** Counts first what an action would change, and acts when the user says so. */
function BulkDialog({ verb, filters, done }: BulkDialogProps) {
  const [matched, setMatched] = useState<number>();
  const [changed, setChanged] = useState(0);
  const [error, setError] = useState<string>();
  const target = `/v2/workflows/bulk/${verb}`;
  const { title, done: past, applies } = VERBS[verb];
  useEffect(() => {
    ask<Bulk>(target + queryOf({ ...filters, dryRun: true }), { method: "POST" }).then(
      (answer) => setMatched(answer.matched ?? 0),
      (cause: ApiError) => setError(cause.message),
    );
  }, [target, filters]);
  const run = async (): Promise<void> => {
    let cursor: string | undefined;
    let count = 0;
    try {
      do {
        const page = await ask<Bulk>(target + queryOf({ ...filters, cursor }), { method: "POST" });
        count += page.changed ?? 0;
        cursor = page.cursor;
        setChanged(count);
      } while (cursor !== undefined && cursor !== "");
      toast({ text: `${plural(count, "run")} ${past}` });
      closeDialog();
      done();
    } catch (cause) {
      setError((cause as Error).message);
    }
  };
  return (
    <>
      <DialogHead title={`${title} runs`} />
      <div class="dialog-body" aria-live="polite">
        {matched === undefined && error === undefined && <p>Counting…</p>}
        {matched !== undefined && (
          <p>
            <strong>{plural(matched, `${applies} run`)}</strong> {matched === 1 ? "matches" : "match"}. Later
            runs aren't included.
          </p>
        )}
        {changed > 0 && (
          <p>
            {changed} of {matched} {past}…
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
          action={{
            target: target + queryOf({ ...filters, dryRun: true }),
            options: { method: "POST" },
            done: () => ({ text: "" }),
          }}
        />
        <span class="grow" />
        <Button onClick={closeDialog}>Close</Button>
        <ActionButton look={verb === "cancel" ? "danger" : "primary"} disabled={!matched} onClick={run}>
          {title} {matched === undefined ? "" : plural(matched, "run")}
        </ActionButton>
      </footer>
    </>
  );
}
