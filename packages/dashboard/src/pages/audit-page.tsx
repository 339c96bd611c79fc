import type { AuditEntry } from "../api/types.ts";
import { visible } from "../format/text.ts";
import { runPath } from "../router.ts";
import { Link } from "../ui/link.tsx";
import { More } from "../ui/more.tsx";
import { PageHead } from "../ui/page-head.tsx";
import { moveAmongRows } from "../ui/rows.ts";
import { Empty, Loaded } from "../ui/states.tsx";
import { Line, Time } from "../ui/text.tsx";
import { useKeyboardScroll } from "../ui/use-keyboard-scroll.ts";
import { ACTION_WORDS } from "./action-words.ts";
import { usePages } from "./use-pages.ts";

/** Who has changed what. */
export function AuditPage() {
  const scrolled = useKeyboardScroll<HTMLElement>();
  const pages = usePages<AuditEntry>({
    target: "/v2/workflows/audit",
    query: { count: 100 },
    list: "entries",
    keyOf: ({ time, actor, action, target = "" }) => `${time}:${actor}:${action}:${target}`,
    live: { names: ["run", "message", "queue", "flow", "schedule", "dlq"] },
  });
  return (
    <main id="main" tabIndex={-1}>
      <PageHead
        title="Audit log"
        text="Every action of a person or a tool on runs, dead letters, queues and schedules."
      />
      <Loaded of={{ ...pages, loading: false }}>
        {(entries) =>
          entries.length === 0 ? (
            <Empty icon="shield" title="No actions yet">
              <p>Cancelling, resuming, pausing and all other actions are written down here.</p>
            </Empty>
          ) : (
            <section class="table-scroll" aria-label="Actions" ref={scrolled}>
              <table class="rows" onKeyDown={moveAmongRows}>
                <thead>
                  <tr>
                    <th>When</th>
                    <th>Action</th>
                    <th>On</th>
                    <th>By</th>
                    <th>From</th>
                  </tr>
                </thead>
                <tbody>
                  {entries.map((entry) => (
                    <Row key={`${entry.time}:${entry.action}:${entry.target}`} entry={entry} />
                  ))}
                </tbody>
              </table>
            </section>
          )
        }
      </Loaded>
      <More pages={pages} />
    </main>
  );
}

function Row({
  entry: { time, action, target = "", actor, person, callerIp },
}: {
  readonly entry: AuditEntry;
}) {
  return (
    <tr>
      <td>
        <Time at={time} clock />
      </td>
      <td>
        <span title={visible(action)}>{ACTION_WORDS[action] ?? <Line text={action} mono />}</span>
      </td>
      <td class="wide">
        {target.startsWith("wfr_") ? (
          <Link row to={runPath(target)} class="mono">
            <Line text={target} />
          </Link>
        ) : (
          <Line text={target} mono />
        )}
      </td>
      <td>
        {person !== undefined && (
          <>
            <Line text={person} />{" "}
          </>
        )}
        <span class="muted">
          <Line text={actor} mono />
        </span>
      </td>
      <td>
        <Line text={callerIp} mono />
      </td>
    </tr>
  );
}
