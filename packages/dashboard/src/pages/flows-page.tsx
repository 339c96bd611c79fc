import { ask, queryOf } from "../api/http.ts";
import { useResource } from "../api/resource.ts";
import type { Flow } from "../api/types.ts";
import { duration } from "../format/time.ts";
import { query, setQuery } from "../router.ts";
import { Act, type Action } from "../ui/action.tsx";
import { ActionButton } from "../ui/button.tsx";
import { openForm } from "../ui/form-dialog.tsx";
import { Icon } from "../ui/icon.tsx";
import { PageHead } from "../ui/page-head.tsx";
import { Empty, Loaded } from "../ui/states.tsx";
import { Line } from "../ui/text.tsx";

/** The keys of flow control: how much of each limit is used, and what waits. */
export function FlowsPage() {
  const search = query.value.get("search") ?? undefined;
  const target = `/v2/flowControl${queryOf({ search })}`;
  const flows = useResource(target, (signal) => ask<readonly Flow[]>(target, { signal }), {
    names: ["flow", "message", "run"],
  });
  return (
    <main id="main" tabIndex={-1}>
      <PageHead
        title="Flow control"
        text="Messages with the same key share its limits: a number at once, and a number in a period."
      />
      <label class="search-field">
        <Icon name="search" />
        <input
          type="search"
          data-search
          aria-label="Search keys"
          placeholder="Search keys"
          value={search ?? ""}
          onInput={({ currentTarget }) => setQuery({ search: currentTarget.value })}
        />
        <span class="key-hint" aria-hidden="true">
          /
        </span>
      </label>
      <Loaded of={flows}>
        {(all) =>
          all.length === 0 ? (
            <Empty icon="gauge" title={search === undefined ? "No keys" : "No key matches"}>
              <p>A key appears with the first message that names it.</p>
            </Empty>
          ) : (
            <div class="table-scroll">
              <table class="rows">
                <thead>
                  <tr>
                    <th>Key</th>
                    <th>State</th>
                    <th>At once</th>
                    <th>Rate</th>
                    <th class="number">Waiting</th>
                    <th>
                      <span class="hidden">Actions</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {all.map((flow) => (
                    <FlowRow key={flow.flowControlKey} flow={flow} reload={flows.reload} />
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Loaded>
    </main>
  );
}

interface RowProps {
  readonly flow: Flow;
  readonly reload: () => void;
}

/** The limit of the whole engine is shown as a key, and can't be changed here. */
const GLOBAL = /^\$/;

function FlowRow({ flow, reload }: RowProps) {
  const { flowControlKey: key, isPaused, isPinnedParallelism, isPinnedRate } = flow;
  const isPinned = isPinnedParallelism || isPinnedRate;
  return (
    <tr>
      <td class="wide">
        <Line text={key} mono />
      </td>
      <td>
        <span class={`tag ${isPaused ? "is-warn" : "is-good"}`}>{isPaused ? "paused" : "running"}</span>{" "}
        {isPinned && <span class="tag">pinned</span>}
      </td>
      <td>
        <Used count={flow.parallelismCount} max={flow.parallelismMax} />
      </td>
      <td>
        <Used count={flow.rateCount} max={flow.rateMax} unit={` in ${duration(flow.ratePeriod * 1000)}`} />
      </td>
      <td class="number">{flow.waitListSize.toLocaleString("en")}</td>
      <td class="row-buttons">
        {!GLOBAL.test(key) && (
          <>
            <Act
              small
              icon={isPaused ? "play" : "pause"}
              action={change(key, isPaused ? "resume" : "pause", reload)}
            >
              {isPaused ? "Resume" : "Pause"}
            </Act>
            <ActionButton small onClick={() => pin(flow, reload)}>
              Pin…
            </ActionButton>
            {isPinned && (
              <Act small action={change(key, "unpin?parallelism=true&rate=true", reload)}>
                Unpin
              </Act>
            )}
            {flow.rateMax > 0 && (
              <Act small action={change(key, "resetRate", reload)}>
                Reset the rate
              </Act>
            )}
          </>
        )}
      </td>
    </tr>
  );
}

interface UsedProps {
  readonly count: number;
  /** 0 for no limit. */
  readonly max: number;
  readonly unit?: string;
}

function Used({ count, max, unit = "" }: UsedProps) {
  if (max === 0) return <span class="muted">no limit</span>;
  return (
    <span class="used">
      <meter min={0} max={max} value={count} aria-label={`${count} of ${max}`} />
      <span>
        {count} of {max}
        {unit}
      </span>
    </span>
  );
}

function change(key: string, verb: string, after: () => void): Action {
  return {
    target: `/v2/flowControl/${encodeURIComponent(key)}/${verb}`,
    options: { method: "POST" },
    done: () => ({ text: "The key is changed" }),
    after,
  };
}

function pin(flow: Flow, after: () => void): void {
  openForm({
    title: "Pin limits",
    verb: "Pin",
    fields: [
      {
        name: "parallelism",
        label: "At once",
        type: "number",
        value: shown(flow.parallelismMax),
        hint: "Messages don't change a pinned limit.",
      },
      { name: "rate", label: "In a period", type: "number", value: shown(flow.rateMax) },
      { name: "period", label: "Period in seconds", type: "number", value: shown(flow.ratePeriod) },
    ],
    toAction: (values) => {
      const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ""));
      return change(flow.flowControlKey, `pin${queryOf(given)}`, after);
    },
  });
}

function shown(limit: number): string {
  return limit === 0 ? "" : String(limit);
}
