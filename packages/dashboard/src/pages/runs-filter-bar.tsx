import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/http.ts";
import { useResource } from "../api/resource.ts";
import type { RunState, WorkflowUrls } from "../api/types.ts";
import { oneLine } from "../format/text.ts";
import { query, setQuery } from "../router.ts";
import { Icon } from "../ui/icon.tsx";
import { RUN_LOOKS } from "../ui/status.tsx";
import { FILTER_WORDS, FILTERS, type FilterName, hasFilters } from "./runs-filter.ts";

const STATES = Object.keys(RUN_LOOKS) as readonly RunState[];

/** The filters of the runs. All live in the address. */
export function FilterBar({ canSearch }: { readonly canSearch: boolean }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <search class="filters">
      <div class="filter-row">
        <SearchField canSearch={canSearch} />
        <StateFilter />
        <button type="button" class="button is-plain" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          <Icon name={isOpen ? "down" : "plus"} />
          <span>More filters</span>
        </button>
      </div>
      {isOpen && <AddFilter />}
      <Chips />
    </search>
  );
}

/** Milliseconds after the last key before the list is loaded. */
const TYPING_MS = 300;

/** Searches texts, where the engine does; ids otherwise. The key `/` leads here. */
function SearchField({ canSearch }: { readonly canSearch: boolean }) {
  const name: FilterName = canSearch ? "search" : "idPrefix";
  const current = query.value.get(name) ?? "";
  const [text, setText] = useState(current);
  const timer = useRef<ReturnType<typeof setTimeout>>();
  useEffect(() => setText(current), [current]);
  const type = (value: string): void => {
    setText(value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setQuery({ [name]: value.trim() }), TYPING_MS);
  };
  const label = canSearch
    ? "Search payloads, steps, results and errors"
    : "Search by the beginning of a run's id";
  return (
    <label class="search-field">
      <Icon name="search" />
      <input
        type="search"
        data-search
        aria-label={label}
        placeholder={label}
        value={text}
        onInput={({ currentTarget }) => type(currentTarget.value)}
      />
      <span class="key-hint" aria-hidden="true">
        /
      </span>
    </label>
  );
}

function StateFilter() {
  const chosen = query.value.getAll("state");
  const toggle = (state: RunState): void =>
    setQuery({ state: chosen.includes(state) ? chosen.filter((one) => one !== state) : [...chosen, state] });
  return (
    <fieldset class="segments" aria-label="State">
      {STATES.map((state) => (
        <button
          key={state}
          type="button"
          class={`tone-${RUN_LOOKS[state].tone}`}
          aria-pressed={chosen.includes(state)}
          onClick={() => toggle(state)}
        >
          <Icon name={RUN_LOOKS[state].icon} size={13} />
          {RUN_LOOKS[state].word}
        </button>
      ))}
    </fieldset>
  );
}

const ADDABLE: readonly FilterName[] = [
  "workflowUrl",
  "label",
  "idPrefix",
  "flowControlKey",
  "fromDate",
  "toDate",
  "excludeState",
  "excludeWorkflowUrl",
  "excludeLabel",
  "excludeIdPrefix",
];

function AddFilter() {
  const [name, setName] = useState<FilterName>("workflowUrl");
  const [value, setValue] = useState("");
  const isDate = name === "fromDate" || name === "toDate";
  const add = (event: Event): void => {
    event.preventDefault();
    const given = value.trim();
    if (given === "") return;
    const read = isDate ? String(new Date(given).getTime()) : given;
    setQuery({ [name]: isDate ? read : [...query.value.getAll(name), read] });
    setValue("");
  };
  return (
    <form class="add-filter" onSubmit={add}>
      <select
        aria-label="Filter by"
        value={name}
        onChange={({ currentTarget }) => setName(currentTarget.value as FilterName)}
      >
        {ADDABLE.map((one) => (
          <option key={one} value={one}>
            {FILTER_WORDS[one]}
          </option>
        ))}
      </select>
      {name === "excludeState" ? (
        <select
          aria-label="Value"
          value={value}
          onChange={({ currentTarget }) => setValue(currentTarget.value)}
        >
          <option value="">Choose…</option>
          {STATES.map((state) => (
            <option key={state} value={state}>
              {RUN_LOOKS[state].word}
            </option>
          ))}
        </select>
      ) : (
        <input
          aria-label="Value"
          type={isDate ? "datetime-local" : "text"}
          list={/WorkflowUrl$/i.test(name) ? "known-workflows" : undefined}
          value={value}
          onInput={({ currentTarget }) => setValue(currentTarget.value)}
        />
      )}
      <button type="submit" class="button is-plain">
        <Icon name="plus" />
        <span>Add</span>
      </button>
    </form>
  );
}

/** Suggestions: the workflows of the newest runs. */
export function KnownWorkflows() {
  const { data } = useResource("known-workflows", (signal) =>
    ask<WorkflowUrls>("/v2/workflows/urls", { signal }),
  );
  return (
    <datalist id="known-workflows">
      {data?.urls.map(({ workflowUrl: url }) => (
        <option key={url} value={url} />
      ))}
    </datalist>
  );
}

/** The filters that are on, but for those that show themselves. */
function Chips() {
  const shown = FILTERS.filter((name) => name !== "state" && name !== "search").flatMap((name) =>
    query.value.getAll(name).map((value) => ({ name, value })),
  );
  if (!hasFilters(query.value)) return null;
  const clear = (): void => setQuery(Object.fromEntries(FILTERS.map((name) => [name, undefined])));
  return (
    <p class="chips">
      {shown.map(({ name, value }) => (
        <button
          key={name + value}
          type="button"
          class="chip"
          aria-label={`Remove the filter ${FILTER_WORDS[name]} ${value}`}
          onClick={() => setQuery({ [name]: query.value.getAll(name).filter((one) => one !== value) })}
        >
          <span class="muted">{FILTER_WORDS[name]}</span> <bdi>{toShown(name, value)}</bdi>
          <Icon name="cross" size={12} />
        </button>
      ))}
      <button type="button" class="link" onClick={clear}>
        Remove all filters
      </button>
    </p>
  );
}

function toShown(name: FilterName, value: string): string {
  if (name === "excludeState") return RUN_LOOKS[value as RunState]?.word ?? value;
  return name === "fromDate" || name === "toDate" ? new Date(Number(value)).toLocaleString() : oneLine(value);
}
