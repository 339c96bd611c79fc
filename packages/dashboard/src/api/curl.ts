import type { Ask } from "./http.ts";

/** Returns a request as a command for a shell. The token stays in a variable. */
export function toCurl(target: string, { method = "GET", body, headers = {} }: Ask): string {
  const all = { ...(typeof body === "object" ? { "Content-Type": "application/json" } : {}), ...headers };
  return [
    `curl ${method === "GET" ? "" : `-X ${method} `}${quote(location.origin + target)}`,
    `  -H "Authorization: Bearer $QSTASH_TOKEN"`,
    ...Object.entries(all).map(([name, value]) => `  -H ${quote(`${name}: ${value}`)}`),
    ...(body === undefined
      ? []
      : [`  --data ${quote(typeof body === "string" ? body : JSON.stringify(body))}`]),
  ].join(" \\\n");
}

/** Quotes a string for a POSIX shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
