import { WorkflowNonRetryableError } from "@perdure/core";
import { checkOptions } from "@perdure/core/protocol";
import { type Step, serialize } from "@perdure/core/testing";
import type { Delivery } from "./delivery.ts";
import { checkWhole } from "./options.ts";

/** The outcome of a mocked step. */
export type MockOutcome = (
  | {
      /**
       * The step's result: what `context.run` returns; for a call its body, or an answer with a `status`; for a wait the
       * event's data; for an invocation the child's result.
       */
      readonly result: unknown;
    }
  /** Each attempt of the step throws this. A mocked child run has failed. */
  | { readonly error: unknown }
  /** A wait isn't answered before its timeout. An attempt of any other step gets no answer. */
  | { readonly timeout: true }
) & {
  /** The number of attempts that get this outcome. Later ones get the next mock, or the real step. Default: all. */
  readonly times?: number;
  /** The occurrence among the steps with this name, from 0 on. Default: each of them. */
  readonly index?: number;
};

type AllOutcomes = Partial<Record<"result" | "error" | "timeout" | "times" | "index", unknown>>;

const OUTCOMES = ["result", "error", "timeout"];

/** Waits, which have a timeout of their own. */
const WAITS: readonly Step["type"][] = ["Wait", "WaitForWebhook"];

/** One mock of a step. */
class StepMock {
  readonly step: string;
  readonly outcome: MockOutcome;
  used = 0;

  constructor(step: string, outcome: MockOutcome) {
    this.step = step;
    this.outcome = outcome;
  }

  matches(name: string, index: number): boolean {
    const { times = Number.POSITIVE_INFINITY } = this.outcome;
    return this.step === name && (this.outcome.index ?? index) === index && this.used < times;
  }

  /** Why the mock must not stay as it is; undefined when it was used as often as it says. */
  get complaint(): string | undefined {
    const { times, index } = this.outcome;
    if (this.used > 0 && this.used === (times ?? this.used)) return undefined;
    const which = index === undefined ? "" : ` with index ${index}`;
    return `the mock of step "${this.step}"${which} was used ${this.used} of ${times ?? "at least 1"} times`;
  }
}

/** The mocks of one run's steps. */
export class StepMocks {
  readonly #mocks: StepMock[] = [];
  /** Whether a step that the engine carries out is mocked: decided once, so that each invocation asks for the same. */
  readonly #decisions = new Map<string, boolean>();

  add(step: string, outcome: MockOutcome): void {
    const { times, index } = outcome;
    const names = "result error timeout times index";
    checkOptions<AllOutcomes, typeof names>(`the mock of step "${step}"`, outcome, names);
    checkWhole("times", times, 1);
    checkWhole("index", index, 0);
    if (OUTCOMES.filter((name) => name in outcome).length !== 1)
      throw new TypeError(`The mock of step "${step}" needs a result, an error, or timeout: true.`);
    const decided = [...this.#decisions].find(
      ([key, mocked]) =>
        !mocked && (index === undefined ? key.startsWith(`${step}#`) : key === `${step}#${index}`),
    );
    if (decided)
      throw new TypeError(`Step "${step}" is under way already. Mock it before the run reaches it.`);
    this.#mocks.push(new StepMock(step, outcome));
  }

  get complaints(): string[] {
    return this.#mocks.flatMap(({ complaint }) => complaint ?? []);
  }

  /** The step to request in place of one that the engine carries out. */
  replace(step: Step, index: number): Step {
    const { name, type, options } = step;
    const key = `${name}#${index}`;
    const mock = this.#find(name, index);
    const mocked = this.#decisions.get(key) ?? mock !== undefined;
    this.#decisions.set(key, mocked);
    if (!mocked) return step;
    if (mock && "timeout" in mock.outcome && WAITS.includes(type)) {
      // The wait stays what it is: time passes until its timeout.
      mock.used++;
      this.#decisions.set(key, false);
      return step;
    }
    if (type === "WaitForWebhook")
      throw new TypeError(`Mock the wait for a webhook "${name}" by run.webhook, or with timeout: true.`);
    return { name, type: "Run", ...(options ? { options } : {}) };
  }

  /** Carries out one attempt of a mocked step. @returns undefined when no mock is left for it */
  play(step: Step, index: number, delivery: Delivery): Promise<string | undefined> | undefined {
    const { name, type } = step;
    const mock = this.#find(name, index);
    if (mock) {
      mock.used++;
      return outcomeOf(mock.outcome, step, delivery);
    }
    if (step.perform) return undefined;
    throw new WorkflowNonRetryableError(
      `Step "${name}" (${type}) is mocked, and all its mocks are used up. Mock more of its attempts.`,
    );
  }

  #find(name: string, index: number): StepMock | undefined {
    return this.#mocks.find((mock) => mock.matches(name, index));
  }
}

async function outcomeOf(
  outcome: MockOutcome,
  { name, type }: Step,
  delivery: Delivery,
): Promise<string | undefined> {
  if ("timeout" in outcome)
    return delivery.die(`Step "${name}" gave no answer in time (a mock of the test).`);
  if ("error" in outcome) {
    if (type !== "Invoke") throw outcome.error;
    return serialize({ isFailed: true, isCanceled: false }, "A mock's result");
  }
  return serialize(resultOf(type, outcome.result), `The mocked result of step "${name}"`);
}

/** The result of a step of a kind, as the workflow receives it. */
function resultOf(type: Step["type"], result: unknown): unknown {
  switch (type) {
    case "Call": {
      const hasStatus = typeof Object(result).status === "number";
      return { status: 200, header: {}, ...(hasStatus ? Object(result) : { body: result }) };
    }
    case "Wait":
      return { timeout: false, eventData: result };
    case "Invoke":
      return { body: result, isFailed: false, isCanceled: false };
    default:
      return result;
  }
}
