import type { Delivery } from "./deliveries.ts";
import type { Script } from "./recorder.ts";
import type { Client, Context, Invokable, Options, Sdk } from "./sdks.ts";

/** What a scenario's code may need beside the workflow's context. */
export interface Tools {
  readonly sdk: Sdk;
  /** The URL of the recorder. */
  readonly engine: string;
  /** Remembers something that would leave no trace on the wire; it is compared too. */
  readonly note: (value: unknown) => void;
}

/** The same source, requests and answers for both packages. */
export interface Scenario {
  readonly name: string;
  /** What is served, one workflow or several. */
  readonly workflow?: (context: Context, tools: Tools) => unknown;
  readonly workflows?: (tools: Tools) => Record<string, Invokable>;
  readonly options?: (tools: Tools) => Options;
  /** What the engine, or somebody who starts a run, sends to the endpoint; one after another. */
  readonly deliveries?: readonly Delivery[];
  /** What the client is asked for; one after another. */
  readonly client?: readonly ((client: Client) => Promise<unknown>)[];
  readonly clientHeaders?: Readonly<Record<string, string>>;
  readonly engine?: Script;
}

/** Scenarios of one topic, whose names begin with it. */
export function topic(
  prefix: string,
  scenarios: Readonly<Record<string, Omit<Scenario, "name">>>,
): Scenario[] {
  return Object.entries(scenarios).map(([name, scenario]) => ({ name: `${prefix}/${name}`, ...scenario }));
}

/** A text whose place is in a scenario. Others, in error messages, are the packages' own and not compared. */
export const own = (text: string): string => `own: ${text}`;
