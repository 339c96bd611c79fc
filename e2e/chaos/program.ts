import { type Workflow, type WorkflowContext, WorkflowNonRetryableError } from "@perdure/core";
import type { Random } from "../test/support/seed.ts";

/** A part of a random workflow. */
export type Program =
  | {
      readonly kind: "step";
      /** How often its work throws before it succeeds, in one process. */
      readonly failures: number;
      /** Its work always throws an error that forbids a retry. */
      readonly final: boolean;
      readonly rollback: boolean;
      /** It begins at most once, and the workflow catches its failure. */
      readonly once: boolean;
    }
  | { readonly kind: "sleep" | "call" }
  /** `notified`: somebody sends the event; otherwise the wait is over after its time. */
  | { readonly kind: "event"; readonly notified: boolean }
  | { readonly kind: "child"; readonly fails: boolean }
  | { readonly kind: "sequence" | "all" | "race"; readonly parts: readonly Program[] };

type Step = Extract<Program, { kind: "step" }>;

/** The payload of a child run. */
export interface ChildPayload {
  readonly parent: string;
  readonly step: string;
  readonly fails: boolean;
}

/** What a workflow needs of its process. */
export interface Actor {
  /** Carries out a step's work. @throws what the step throws */
  work(path: string, step: Step, key: string): Promise<string>;
  undo(path: string): void;
  /** The workflow has received the result of a step. */
  see(path: string, value: string): void;
  readonly child: Workflow<ChildPayload, string>;
  /** The URL that calls ask. */
  readonly service: string;
}

export const eventOf = (run: string, path: string): string => `event ${run} ${path}`;

/** The value of a wait whose time is over. */
export const TIMED_OUT = "timed out";

/** Retries of every delivery: no run fails because its endpoint was dead for a while. */
export const RETRIES = { retries: 500, retryDelay: "200" } as const;

export function makeProgram(random: Random): Program {
  const below = (limit: number): number => Math.floor(random.next() * limit);
  const chance = (share: number): boolean => random.next() < share;
  const leaf = (): Program => {
    switch (below(14)) {
      case 0:
        return { kind: "sleep" };
      case 1:
      case 2:
        return { kind: "event", notified: chance(0.8) };
      case 3:
        return { kind: "call" };
      case 4:
        return { kind: "child", fails: chance(0.3) };
      default: {
        const once = chance(0.1);
        const final = !once && chance(0.05);
        return { kind: "step", failures: !once && chance(0.15) ? 1 : 0, final, rollback: chance(0.3), once };
      }
    }
  };
  const branches = (): Program => {
    const parts = Array.from({ length: 2 + below(2) }, () =>
      chance(0.4) ? { kind: "sequence" as const, parts: [leaf(), leaf()] } : leaf(),
    );
    return { kind: chance(0.2) ? "race" : "all", parts };
  };
  return {
    kind: "sequence",
    parts: Array.from({ length: 2 + below(4) }, () => (chance(0.35) ? branches() : leaf())),
  };
}

/** A leaf of a program with its path, by which its step is named. */
export type Leaf = readonly [path: string, program: Exclude<Program, { parts: readonly Program[] }>];

export function leavesOf(program: Program, path = "0"): Leaf[] {
  if (!("parts" in program)) return [[path, program]];
  return program.parts.flatMap((part, at) => leavesOf(part, `${path}.${at}`));
}

/** Carries a program out. @returns a result that depends only on the program, and on who wins its races */
export async function perform(
  context: WorkflowContext<unknown>,
  program: Program,
  actor: Actor,
  path = "0",
): Promise<string> {
  const each = (parts: readonly Program[]) =>
    parts.map((part, at) => perform(context, part, actor, `${path}.${at}`));
  const seen = (value: string): void => actor.see(path, value);
  switch (program.kind) {
    case "sequence": {
      const results: string[] = [];
      for (const [at, part] of program.parts.entries())
        results.push(await perform(context, part, actor, `${path}.${at}`));
      return `(${results.join(" ")})`;
    }
    case "all":
      return `[${(await Promise.all(each(program.parts))).join(" ")}]`;
    case "race":
      return Promise.race(each(program.parts));
    case "step":
      return performStep(context, program, actor, path);
    case "sleep":
      await context.sleep(path, 1);
      return "slept";
    case "event": {
      const event = eventOf(context.workflowRunId, path);
      const timeout = program.notified ? "1h" : "2s";
      const { eventData, timeout: over } = await context.waitForEvent(path, event, { timeout });
      seen(over ? TIMED_OUT : String(eventData));
      return "waited";
    }
    case "call": {
      const { status, body } = await context.call<string>(path, { url: actor.service, ...RETRIES });
      seen(`${status} ${body}`);
      return "called";
    }
    case "child": {
      const body = { parent: context.workflowRunId, step: path, fails: program.fails };
      const { isFailed } = await context.invoke(path, { workflow: actor.child, body, ...RETRIES });
      seen(isFailed ? "child failed" : "child");
      return isFailed ? "child failed" : "child";
    }
    default:
      return program satisfies never;
  }
}

async function performStep(
  context: WorkflowContext<unknown>,
  step: Step,
  actor: Actor,
  path: string,
): Promise<string> {
  try {
    const value = await context.run(path, ({ idempotencyKey }) => actor.work(path, step, idempotencyKey), {
      ...(step.once ? { atMostOnce: true, onExhausted: "throw" as const } : {}),
      ...(step.rollback ? { rollback: () => actor.undo(path) } : {}),
    });
    actor.see(path, value);
    return path;
  } catch (error) {
    // A step with `atMostOnce` is interrupted by what kills its endpoint.
    if (!step.once) throw error;
    return path;
  }
}

/** The outcome of a step's work at its nth execution in a process. @throws what the step throws */
export function outcomeOf(step: Step, execution: number, value: string): string {
  if (step.final) throw new WorkflowNonRetryableError("never");
  if (execution <= step.failures) throw new Error("not yet");
  return value;
}

/** A run that fails, among the ends of a program. */
export const FAILS = "fails";

/** The ends that a program allows: results, and {@link FAILS}. */
export function endsOf(program: Program, path = "0"): ReadonlySet<string> {
  switch (program.kind) {
    case "step":
      return new Set([program.final ? FAILS : path]);
    case "sleep":
      return new Set(["slept"]);
    case "event":
      return new Set(["waited"]);
    case "call":
      return new Set(["called"]);
    case "child":
      return new Set([program.fails ? "child failed" : "child"]);
    case "race":
      return new Set(program.parts.flatMap((part, at) => [...endsOf(part, `${path}.${at}`)]));
    case "sequence":
    case "all": {
      const ends = program.parts.map((part, at) => endsOf(part, `${path}.${at}`));
      const [open, close] = program.kind === "sequence" ? "()" : "[]";
      const joined = ends.reduce<string[][]>(
        (lists, some) => lists.flatMap((list) => [...some].map((one) => [...list, one])),
        [[]],
      );
      return new Set(
        joined.map((list) => (list.includes(FAILS) ? FAILS : `${open}${list.join(" ")}${close}`)),
      );
    }
    default:
      return program satisfies never;
  }
}
