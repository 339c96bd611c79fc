import { useState } from "preact/hooks";
import { parseJson } from "../format/json.ts";
import { plural, visible } from "../format/text.ts";
import { Icon } from "./icon.tsx";
import { Block, CopyButton } from "./text.tsx";

/** A payload, a result or a body: JSON as a tree that folds, everything else as it is. */
export function Payload({ text, label }: { readonly text: string | undefined; readonly label: string }) {
  if (text === undefined || text === "") return <p class="muted">{label}: nothing</p>;
  const value = parseJson(text);
  return (
    <section class="payload" aria-label={label}>
      <header>
        <strong>{label}</strong>
        <span class="muted">{plural(text.length, "character")}</span>
        <CopyButton text={text} label={label.toLowerCase()} />
      </header>
      {typeof value === "object" && value !== null ? (
        <div class="json">
          <Value value={value} depth={0} />
        </div>
      ) : (
        <Block text={typeof value === "string" ? JSON.stringify(value) : text} />
      )}
    </section>
  );
}

/** A large list shows this many entries more at a time. */
const PAGE = 100;
/** Values below this depth are folded at first. */
const OPEN_DEPTH = 2;

interface ValueProps {
  readonly value: unknown;
  readonly depth: number;
  readonly name?: string | undefined;
}

function Value({ value, depth, name }: ValueProps) {
  const key = name === undefined ? null : <Key name={name} />;
  if (typeof value === "object" && value !== null) return <Tree value={value} depth={depth} name={name} />;
  return (
    <div class="leaf">
      {key}
      <Leaf value={value} />
    </div>
  );
}

function Tree({ value, depth, name }: ValueProps & { readonly value: object }) {
  const entries = Object.entries(value);
  const [isOpen, setOpen] = useState(depth < OPEN_DEPTH && entries.length <= PAGE);
  const [shown, setShown] = useState(PAGE);
  const isList = Array.isArray(value);
  const size = isList ? plural(entries.length, "item") : plural(entries.length, "field");
  const [begin, end] = isList ? "[]" : "{}";
  return (
    <div class="tree">
      <button type="button" class="fold" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <Icon name={isOpen ? "down" : "right"} size={12} />
        {name !== undefined && <Key name={name} />}
        <span class="punctuation">{isOpen ? begin : `${begin}…${end}`}</span>
        <span class="muted"> {size}</span>
      </button>
      {isOpen && (
        <>
          <div class="entries">
            {entries.slice(0, shown).map(([key, one]) => (
              <Value key={key} value={one} depth={depth + 1} name={key} />
            ))}
            {entries.length > shown && (
              <button type="button" class="link" onClick={() => setShown(shown + PAGE)}>
                Show {Math.min(PAGE, entries.length - shown)} more of {entries.length - shown}
              </button>
            )}
          </div>
          <div class="punctuation end">{end}</div>
        </>
      )}
    </div>
  );
}

function Key({ name }: { readonly name: string }) {
  return (
    <>
      <bdi class="key">{visible(name)}</bdi>
      <span class="punctuation">: </span>
    </>
  );
}

const LONG = 300;

function Leaf({ value }: { readonly value: unknown }) {
  const [whole, setWhole] = useState(false);
  if (typeof value !== "string") return <span class={`value is-${typeof value}`}>{String(value)}</span>;
  const text = visible(JSON.stringify(value));
  const isLong = text.length > LONG && !whole;
  return (
    <>
      <bdi class="value is-string">{isLong ? `${text.slice(0, LONG)}…` : text}</bdi>
      {isLong && (
        <button type="button" class="link" onClick={() => setWhole(true)}>
          all {text.length.toLocaleString("en")} characters
        </button>
      )}
    </>
  );
}
