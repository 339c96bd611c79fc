import type { RemoteEngine } from "./engine.ts";
import { readInput } from "./input.ts";
import { printJson } from "./output.ts";

/** The flags of `perdure notify`. */
export interface NotifyFlags {
  readonly data?: string;
  readonly run?: string;
  readonly json?: boolean;
}

/** Runs `perdure notify <event>`: sends an event to the runs that wait for it, and prints how many did. */
export async function notify(engine: RemoteEngine, eventId: string, flags: NotifyFlags): Promise<void> {
  const { data, run, json } = flags;
  const path = ["notify", ...(run === undefined ? [] : [run]), eventId].map(encodeURIComponent).join("/");
  const text = data === undefined ? "" : await readInput(data);
  const notified = await engine.request<unknown[]>("POST", path, { text });
  if (json) printJson(notified);
  else console.log(notified.length === 1 ? "1 run was waiting." : `${notified.length} runs were waiting.`);
}
