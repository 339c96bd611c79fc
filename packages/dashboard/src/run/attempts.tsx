import type { Attempt } from "../api/types.ts";
import { parseJson } from "../format/json.ts";
import { duration } from "../format/time.ts";
import { HeadersView } from "../ui/headers-view.tsx";
import { Block, Line, Time } from "../ui/text.tsx";
import { ErrorDetails } from "./error-details.tsx";
import { toErrorInfo } from "./error-info.ts";

interface AttemptsProps {
  readonly failures: readonly Attempt[];
  /** When the first attempt began. */
  readonly from: number;
}

/** The failed attempts of a step: when, with which answer, and how long the run backed off before each. */
export function Attempts({ failures, from }: AttemptsProps) {
  return (
    <ol class="attempts">
      {failures.map((failure, at) => {
        const before = failures[at - 1]?.time ?? from;
        return (
          <li key={`${failure.time}-${at}`}>
            <details>
              <summary>
                <span class="attempt-number">Attempt {at + 1}</span>
                <span class="attempt-error">
                  <Line text={messageOf(failure)} />
                </span>
                {failure.status > 0 && <span class="tag">{failure.status}</span>}
                <span class="attempt-time">
                  <Time at={failure.time} clock />
                  {failure.time > before && <span class="muted"> +{duration(failure.time - before)}</span>}
                </span>
              </summary>
              <AttemptDetails failure={failure} />
            </details>
          </li>
        );
      })}
    </ol>
  );
}

function AttemptDetails({ failure }: { readonly failure: Attempt }) {
  const info = toErrorInfo(parseJson(failure.body));
  return (
    <div class="attempt-details">
      {info ? (
        <ErrorDetails error={info} />
      ) : failure.body ? (
        <Block text={failure.body} />
      ) : (
        <Block text={failure.error} />
      )}
      <HeadersView headers={failure.headers} label="Answer" />
    </div>
  );
}

function messageOf({ body, error }: Attempt): string {
  return toErrorInfo(parseJson(body))?.message ?? error;
}
