import type { EngineEvent } from "../rules/event.ts";
import { messageOf } from "../rules/thrown.ts";
import { StoreUnavailable } from "../store/unavailable.ts";
import { printableJson } from "./terminal.ts";
import type { LogLevel } from "./values.ts";

type Level = Exclude<LogLevel, "silent">;

const RANK: Readonly<Record<LogLevel, number>> = { silent: 0, error: 1, info: 2, debug: 3 };

/** The fields of one log line. */
export type Fields = Readonly<Record<string, unknown>>;

/**
 * The log of an engine in production: one JSON object per line. It leaves out bodies, headers and queries,
 * because they may hold private data; it never sees tokens and keys.
 */
export class JsonLogger {
  readonly #level: LogLevel;
  readonly #write: (line: string) => void;
  readonly #now: () => number;

  constructor(level: LogLevel, write: (line: string) => void, now: () => number = Date.now) {
    this.#level = level;
    this.#write = write;
    this.#now = now;
  }

  /** Writes one line, unless the configured level leaves it out. */
  log(level: Level, event: string, fields: Fields = {}): void {
    if (RANK[level] > RANK[this.#level]) return;
    this.#write(printableJson({ time: new Date(this.#now()).toISOString(), level, event, ...fields }));
  }

  /** Writes an engine event of a user, as {@link JsonLogger.log} does. */
  logEvent(event: EngineEvent, user: string): void {
    const { level, fields } = toEntry(event);
    this.log(level, event.type, { user, ...fields });
  }
}

function toEntry(event: EngineEvent): { level: Level; fields: Fields } {
  switch (event.type) {
    case "fault": {
      const { during, error } = event;
      // The sentence of a database that is away says all.
      const stack = error instanceof Error && !(error instanceof StoreUnavailable) ? error.stack : undefined;
      return { level: "error", fields: { during: withoutQuery(during), error: messageOf(error), stack } };
    }
    case "shortage":
      return { level: "error", fields: { code: event.code, wait: event.wait } };
    case "delivering":
    case "step.waiting": {
      const { type: _, ...fields } = event;
      return { level: "debug", fields: tidy(fields) };
    }
    // Payloads and results are bodies, too, and stay out of the log.
    case "step.recorded": {
      const { type: _, result: __, ...fields } = event;
      return { level: "debug", fields };
    }
    case "run.started": {
      const { type: _, payload: __, ...fields } = event;
      return { level: "info", fields: tidy(fields) };
    }
    case "run.completed": {
      const { type: _, result: __, ...fields } = event;
      return { level: "info", fields };
    }
    case "rolledBack": {
      const { type: _, record, ...fields } = event;
      const { stepName, state, error } = record;
      return { level: "info", fields: tidy({ ...fields, stepName, state, error: error?.message }) };
    }
    case "failure.reported": {
      // The result of a failure function may hold private data.
      const { type: _, response: __, ...fields } = event;
      return { level: "info", fields: tidy(fields) };
    }
    default: {
      const { type: _, ...fields } = event;
      return { level: "info", fields: tidy(fields) };
    }
  }
}

function tidy(fields: Fields): Fields {
  const { url, error } = fields;
  return {
    ...fields,
    ...(typeof url === "string" ? { url: withoutQuery(url) } : {}),
    // An error may contain a string of any length.
    ...(typeof error === "string" && error.length > MAX_ERROR
      ? { error: `${error.slice(0, MAX_ERROR)}…` }
      : {}),
  };
}

const MAX_ERROR = 500;

/** Removes the query from a URL: it may hold secrets. */
function withoutQuery(text: string): string {
  return text.replace(/[?#]\S*/, "");
}
