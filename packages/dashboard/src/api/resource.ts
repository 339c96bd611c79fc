import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "./http.ts";
import { type Interest, onChange } from "./live.ts";

/** A thing that the page has asked the engine for. It keeps the last data while it loads again. */
export interface Resource<Data> {
  readonly data: Data | undefined;
  readonly error: ApiError | undefined;
  readonly loading: boolean;
  readonly reload: () => void;
}

interface State<Data> {
  readonly key: string;
  readonly data?: Data;
  readonly error?: ApiError;
  readonly loading: boolean;
}

const NOTHING: Interest = { names: [] };

/**
 * Loads when `key` changes, and again when something changes in the engine that `live` names.
 *
 * @param live none: the data loads only once
 */
export function useResource<Data>(
  key: string,
  load: (signal: AbortSignal) => Promise<Data>,
  live: Interest = NOTHING,
): Resource<Data> {
  const [state, setState] = useState<State<Data>>({ key, loading: true });
  const latest = useRef(load);
  latest.current = load;
  const running = useRef<AbortController>();
  const start = useCallback(() => {
    running.current?.abort();
    const abort = new AbortController();
    running.current = abort;
    latest.current(abort.signal).then(
      (data) => {
        if (!abort.signal.aborted) setState({ key, data, loading: false });
      },
      (cause: unknown) => {
        if (abort.signal.aborted) return;
        const error = cause instanceof ApiError ? cause : new ApiError(0, String(cause));
        setState((last) => ({ ...last, key, error, loading: false }));
      },
    );
  }, [key]);
  useEffect(() => {
    setState((last) => (last.key === key ? { ...last, loading: true } : { key, loading: true }));
    start();
    return () => running.current?.abort();
  }, [key, start]);
  const { runId, interval } = live;
  const names = live.names.join();
  useEffect(() => {
    if (names === "") return undefined;
    return onChange({ names: names.split(","), runId, interval }, start);
  }, [names, runId, interval, start]);
  const current = state.key === key ? state : undefined;
  return {
    data: current?.data,
    error: current?.error,
    loading: current?.loading ?? true,
    reload: start,
  };
}
