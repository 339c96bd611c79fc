import { checkOptions } from "@perdure/core/protocol";
import { checkWhole } from "./options.ts";

/**
 * A fault around one attempt of a step.
 *
 * - `crash`: the work is done, and the endpoint's process dies before the result is recorded.
 * - `lose-answer`: the engine doesn't receive the delivery's answer, nor the records that travel with it.
 * - `duplicate`: the engine delivers the request again, although it has been answered.
 * - `delay`: everything else that can run goes first.
 */
export type Fault = "crash" | "lose-answer" | "duplicate" | "delay";

/** All faults. */
export const FAULTS: readonly Fault[] = ["crash", "lose-answer", "duplicate", "delay"];

/** @throws TypeError for a name that isn't a fault's */
export function checkFault(fault: Fault): void {
  if (!FAULTS.includes(fault))
    throw new TypeError(`There is no fault ${JSON.stringify(fault)}. Faults: ${FAULTS.join(", ")}.`);
}

/** Decides which fault happens to an attempt of a step. */
export interface FaultSource {
  next(step: string, index: number): Fault | undefined;
}

/** Limits of a fault that a test asks for. */
export interface FaultOptions {
  /** The number of attempts with this fault. Default: 1. */
  readonly times?: number;
  /** The occurrence among the steps with this name, from 0 on. Default: each of them. */
  readonly index?: number;
}

interface PlannedFault extends FaultOptions {
  readonly step: string;
  readonly fault: Fault;
  left: number;
}

/** The faults that a test asks for. */
export class PlannedFaults implements FaultSource {
  readonly #faults: PlannedFault[] = [];

  add(step: string, fault: Fault, options: FaultOptions): void {
    checkFault(fault);
    checkOptions<FaultOptions, "times index">(`the fault of step "${step}"`, options, "times index");
    const { times = 1, index } = options;
    checkWhole("times", times, 1);
    checkWhole("index", index, 0);
    this.#faults.push({ ...options, step, fault, left: times });
  }

  next(step: string, index: number): Fault | undefined {
    const found = this.#faults.find(
      (one) => one.step === step && (one.index ?? index) === index && one.left > 0,
    );
    if (!found) return undefined;
    found.left--;
    return found.fault;
  }

  get complaints(): string[] {
    return this.#faults
      .filter(({ left }) => left > 0)
      .map(({ fault, step }) => `the fault "${fault}" of step "${step}" has not happened`);
  }
}
