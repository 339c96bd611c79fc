import { useState } from "preact/hooks";
import { oneLine, splitUrl, visible } from "../format/text.ts";
import { fullTime, moment, now, relative } from "../format/time.ts";
import { Icon } from "./icon.tsx";
import { toast } from "./toast.tsx";
import { useKeyboardScroll } from "./use-keyboard-scroll.ts";

/** A string of a user in one line, isolated from the direction of the text around it. */
export function Line({ text, mono = false }: { readonly text: string; readonly mono?: boolean }) {
  const shown = oneLine(text);
  return (
    <bdi class={mono ? "mono" : undefined} title={shown.length > 40 ? shown : undefined}>
      {shown}
    </bdi>
  );
}

/** A string of a user with its line breaks. */
export function Block({ text }: { readonly text: string }) {
  const [whole, setWhole] = useState(false);
  const ref = useKeyboardScroll<HTMLPreElement>();
  const shown = visible(text);
  const isLong = shown.length > LONG;
  return (
    <div class="block">
      <pre dir="auto" ref={ref}>
        {isLong && !whole ? `${shown.slice(0, LONG)}…` : shown}
      </pre>
      {isLong && !whole && (
        <button type="button" class="link" onClick={() => setWhole(true)}>
          Show all {shown.length.toLocaleString("en")} characters
        </button>
      )}
    </div>
  );
}

const LONG = 2000;

/** A workflow's URL: its path, and its host in the background. */
export function WorkflowName({ url }: { readonly url: string }) {
  const { path, host } = splitUrl(url);
  return (
    <span class="workflow" title={visible(url)}>
      <bdi class="path">{path}</bdi> <bdi class="host">{host}</bdi>
    </span>
  );
}

/** A time: how long ago, or the time of day, with the full time in its title. */
export function Time({ at, clock = false }: { readonly at: number; readonly clock?: boolean }) {
  return (
    <time dateTime={new Date(at).toISOString()} title={fullTime(at)}>
      {clock ? moment(at, now.value) : relative(at, now.value)}
    </time>
  );
}

export function CopyButton({ text, label }: { readonly text: string; readonly label: string }) {
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      toast({ text: `${label} copied` });
    } catch {
      toast({ text: "The browser lets a page copy only over HTTPS, or from this machine", isError: true });
    }
  };
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={`Copy ${label}`}
      title={`Copy ${label}`}
      onClick={copy}
    >
      <Icon name="copy" />
    </button>
  );
}
