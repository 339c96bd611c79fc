import type { Overview } from "../api/types.ts";
import { REPORT_LOOKS, Status } from "../ui/status.tsx";
import { Attempts } from "./attempts.tsx";
import { Chapter, ReportAnswer, Rollbacks } from "./chapters.tsx";

/** The story of a cancelled run: its rollbacks and its cancel function. */
export function CancelStory({ run }: { readonly run: Overview }) {
  const { rollbacks = [], cancelFunction: report } = run;
  if (rollbacks.length === 0 && !report) return null;
  return (
    <div class="story">
      <h2 id="cancel-story">After the cancellation</h2>
      <ol class="chapters" aria-labelledby="cancel-story">
        <Rollbacks run={run} />
        {report && (
          <Chapter
            tone={REPORT_LOOKS[report.state].tone}
            icon="flag"
            title="Cancel function"
            aside={<Status look={REPORT_LOOKS[report.state]} />}
          >
            <ReportAnswer report={report} />
            {report.errors && <Attempts failures={report.errors} from={report.errors[0]?.time ?? 0} />}
          </Chapter>
        )}
      </ol>
    </div>
  );
}
