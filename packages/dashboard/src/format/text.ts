const ESCAPE = String.fromCharCode(0x1b);
/** The colours of a terminal, as programs write them into their error messages. */
const COLOURS = new RegExp(`${ESCAPE}\\[[\\d;]*m`, "g");
/** Characters that hide or reorder others: controls, and the marks of bidirectional text. */
const HIDDEN = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Makes a string of a user safe to read: no colours of a terminal, and a visible sign for each character that
 * would hide or reorder others. Line breaks and tabs stay.
 */
export function visible(text: string): string {
  return text.replace(COLOURS, "").replace(HIDDEN, (character) => {
    if (character === "\n" || character === "\t") return character;
    if (character === "\r") return "";
    const code = character.codePointAt(0) ?? 0;
    return code < 0x20
      ? String.fromCodePoint(0x2400 + code)
      : `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}

/** Like {@link visible}, in one line. */
export function oneLine(text: string): string {
  return visible(text).replace(/\s+/g, " ").trim();
}

/** Returns a number with its noun: `1 run`, `12 runs`. */
export function plural(count: number, noun: string, nouns = `${noun}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? noun : nouns}`;
}

/** Splits the URL of a workflow for display: its path, which tells workflows apart, and its host. */
export function splitUrl(url: string): { readonly path: string; readonly host: string } {
  if (!URL.canParse(url)) return { path: visible(url), host: "" };
  const { pathname, search, host } = new URL(url);
  return { path: visible(decode(pathname) + search), host: visible(host) };
}

function decode(pathname: string): string {
  try {
    return decodeURIComponent(pathname);
  } catch {
    return pathname;
  }
}
