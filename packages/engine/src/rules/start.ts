import { isNamedAfterMessage, isSameTrigger, type NewRun, type Run } from "./run.ts";

/** The store's facts about a request to start a run. */
export interface StartFacts {
  readonly newRun: NewRun;
  /** True if the endpoint configures a run that awaits its configuration. */
  readonly configuresRun: boolean;
  /** The live run of this id. */
  readonly live: Pick<Run, "awaitingConfiguration" | "config"> | undefined;
  /** The last run of this id, live or not. */
  readonly latest: Pick<Run, "config"> | undefined;
  /** The live run that invokes this one, when the request names one. */
  readonly invoker: "none" | "live" | "not live";
  /** True if the invoker's step has invoked a run before, or its result is recorded. */
  readonly invokedBefore: boolean;
}

/** The answer to a request to start a run. */
export type StartDecision =
  /** Store a new run. */
  | "start"
  /** Give the live run its endpoint's configuration. */
  | "configure"
  /**
   * The last run of this id stands for the request: the client didn't get the answer to its first request.
   */
  | "repeat"
  /** The run that the step has invoked before stands for the request. */
  | "repeat invocation"
  /** Refuse: there is no live run to configure. */
  | "nothing to configure"
  /** Refuse: the invoking run is not live. */
  | "invoker is not live"
  /** Refuse: a run of this id is live, and was not invoked by this step. */
  | "id is taken";

/**
 * Decides the answer to a request to start a run:
 *
 * 1. An endpoint that configures a run needs a live run, which awaits the configuration.
 * 2. A run that is invoked needs a live invoker. A step invokes once, and never a run that is live already.
 * 3. A request that repeats an earlier one gets the run of that one: a request named after its message, or
 *    with the same trigger id, even when the run has ended; any other, while the run is live.
 * 4. Everything else starts a run.
 */
export function decideStart(facts: StartFacts): StartDecision {
  const { newRun, configuresRun, live, latest, invoker, invokedBefore } = facts;
  if (configuresRun && !live) return "nothing to configure";
  if (configuresRun && live?.awaitingConfiguration) return "configure";
  if (invoker === "not live") return "invoker is not live";
  if (invokedBefore) return "repeat invocation";
  if (live && invoker === "live") return "id is taken";
  if (latest && (isNamedAfterMessage(newRun) || isSameTrigger(latest.config, newRun.config))) return "repeat";
  return live ? "repeat" : "start";
}
