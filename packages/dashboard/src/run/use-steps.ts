import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError, ask, queryOf } from "../api/http.ts";
import { onChange } from "../api/live.ts";
import type { RunRef, Step, StepPage } from "../api/types.ts";

const PAGE_SIZE = 1000;

export interface Steps {
  readonly steps: readonly Step[];
  readonly isComplete: boolean;
  readonly error: ApiError | undefined;
  readonly reload: () => void;
}

interface Page {
  readonly steps: readonly Step[];
  readonly cursor: string | undefined;
}

/**
 * Loads all steps of a run, page by page. History only grows, so that after a change only the last page, with
 * the steps that are under way, is loaded again.
 *
 * @param version all pages are loaded again when it changes
 */
export function useSteps(run: RunRef, version: string): Steps {
  const { workflowRunId: id, workflowRunCreatedAt: at } = run;
  const pages = useRef<readonly Page[]>([]);
  const loading = useRef<AbortController>();
  const [state, setState] = useState<Omit<Steps, "reload">>({
    steps: [],
    isComplete: false,
    error: undefined,
  });

  const load = useCallback(
    async (from: number): Promise<void> => {
      loading.current?.abort();
      const abort = new AbortController();
      loading.current = abort;
      const kept = pages.current.slice(0, from);
      let cursor = kept.at(-1)?.cursor;
      try {
        do {
          const query = queryOf({ workflowCreatedAt: at, count: PAGE_SIZE, cursor });
          const target = `/v2/workflows/runs/${encodeURIComponent(id)}/steps${query}`;
          const page = await ask<StepPage>(target, { signal: abort.signal });
          kept.push({ steps: page.steps, cursor: page.cursor });
          cursor = page.cursor;
          pages.current = [...kept, ...pages.current.slice(kept.length)];
          const steps = pages.current.flatMap((one) => one.steps);
          setState({ steps, isComplete: cursor === undefined, error: undefined });
        } while (cursor !== undefined);
        pages.current = kept;
      } catch (cause) {
        if (abort.signal.aborted) return;
        const error = cause instanceof ApiError ? cause : new ApiError(0, String(cause));
        setState((last) => ({ ...last, error }));
      }
    },
    [id, at],
  );

  useEffect(() => {
    pages.current = [];
    void load(0);
    return () => loading.current?.abort();
  }, [load, version]);
  const reload = useCallback(() => void load(Math.max(0, pages.current.length - 1)), [load]);
  useEffect(() => onChange({ names: ["run", "message"], runId: id }, reload), [id, reload]);
  return { ...state, reload };
}
