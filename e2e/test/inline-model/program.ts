import type { Workflow, WorkflowContext } from "@perdure/core";
import { WorkflowNonRetryableError } from "@perdure/core";
import type { Random } from "../support/seed.ts";

/** A part of a random workflow. */
export type Node =
  | {
      readonly kind: "step";
      /** How often its work throws before it succeeds. */
      readonly failures: number;
      /** Its work throws an error that forbids a retry. */
      readonly final: boolean;
      readonly caught: boolean;
      readonly rollback: boolean;
      readonly once: boolean;
      /** Its result is too long for the answer of an invocation, which appends it. */
      readonly long: boolean;
    }
  | { readonly kind: "sleep"; readonly seconds: number }
  | { readonly kind: "event"; readonly notified: boolean }
  | { readonly kind: "call" }
  /** The workflow cancels its own run. */
  | { readonly kind: "cancel" }
  | { readonly kind: "child"; readonly fails: boolean }
  | { readonly kind: "sequence" | "all" | "race" | "any" | "allSettled"; readonly parts: readonly Node[] };

type Step = Extract<Node, { kind: "step" }>;

/** What one invocation of a workflow does and sees. */
export interface Actor {
  /** Carries out a step's work. @throws what the step throws */
  work(step: StepWork): Promise<string>;
  undo(path: string): Promise<void>;
  /** The workflow has received a step's result. */
  see(value: string): void;
  readonly child: Workflow<{ fails: boolean }, string>;
  /** Whether the run is inline: only then can a step run at most once. */
  readonly inline: boolean;
}

export interface StepWork {
  readonly path: string;
  readonly node: Step;
  readonly idempotencyKey: string;
}

/** Characters of a long result. */
const LONG = 140_000;

export const eventOf = (runId: string, path: string, notified: boolean): string =>
  `${notified ? "notified" : "never"} ${runId} ${path}`;

export function makeProgram(random: Random, depth = 3): Node {
  const below = (limit: number): number => Math.floor(random.next() * limit);
  const chance = (share: number): boolean => random.next() < share;
  const make = (left: number): Node => {
    if (left > 0 && chance(0.7)) {
      const kinds = ["sequence", "sequence", "all", "all", "race", "any", "allSettled"] as const;
      const parts = Array.from({ length: 1 + below(3) }, () => make(left - 1));
      return { kind: kinds[below(kinds.length)] ?? "sequence", parts };
    }
    if (chance(0.01)) return { kind: "cancel" };
    switch (below(12)) {
      case 0:
        return { kind: "sleep", seconds: chance(0.3) ? 0 : below(30) };
      case 1:
        return { kind: "event", notified: chance(0.7) };
      case 2:
        return { kind: "call" };
      case 3:
        return { kind: "child", fails: chance(0.3) };
      default: {
        const once = chance(0.1);
        const final = chance(0.06);
        const failures = !once && chance(0.2) ? 1 + below(2) : 0;
        return {
          kind: "step",
          failures,
          final,
          caught: once || (final && chance(0.5)),
          rollback: chance(0.3),
          once,
          long: chance(0.05),
        };
      }
    }
  };
  return make(depth);
}

/** Whether the program may cancel its run. */
export function mayCancel(node: Node): boolean {
  return "parts" in node ? node.parts.some(mayCancel) : node.kind === "cancel";
}

/** Whether the program's outcome doesn't depend on which of its branches is faster. */
export function isDeterministic(node: Node): boolean {
  if (!("parts" in node)) return node.kind !== "cancel";
  return node.kind !== "race" && node.kind !== "any" && node.parts.every(isDeterministic);
}

/** Carries a program out. @returns a result that depends only on the program, and on who wins its races */
export async function perform(
  context: WorkflowContext,
  node: Node,
  actor: Actor,
  path = "0",
): Promise<string> {
  const all = (parts: readonly Node[]) =>
    parts.map((part, at) => perform(context, part, actor, `${path}.${at}`));
  switch (node.kind) {
    case "sequence": {
      const results: string[] = [];
      for (const [at, part] of node.parts.entries())
        results.push(await perform(context, part, actor, `${path}.${at}`));
      return `(${results.join(" ")})`;
    }
    case "all":
      return `[${(await Promise.all(all(node.parts))).join(" ")}]`;
    case "race":
      return Promise.race(all(node.parts));
    case "any":
      return Promise.any(all(node.parts));
    case "allSettled": {
      const settled = await Promise.allSettled(all(node.parts));
      return `{${settled.map((one) => (one.status === "fulfilled" ? one.value : "failed")).join(" ")}}`;
    }
    case "step":
      return performStep(context, node, actor, path);
    case "sleep":
      await context.sleep(path, node.seconds);
      return "slept";
    case "event":
      await context.waitForEvent(path, eventOf(context.workflowRunId, path, node.notified), { timeout: 60 });
      return "waited";
    case "call":
      await context.call(path, { url: "https://third.test/", retries: 3 });
      return "called";
    case "cancel":
      return context.cancel();
    case "child": {
      const body = { fails: node.fails };
      const { isFailed } = await context.invoke(path, {
        workflow: actor.child,
        body,
        retries: 100,
        retryDelay: "1000",
      });
      return isFailed ? "child failed" : "child";
    }
    default:
      return node satisfies never;
  }
}

async function performStep(
  context: WorkflowContext,
  node: Step,
  actor: Actor,
  path: string,
): Promise<string> {
  try {
    const value = await context.run(
      path,
      ({ idempotencyKey }) => actor.work({ path, node, idempotencyKey }),
      {
        ...(node.caught ? { onExhausted: "throw" as const } : {}),
        ...(node.once && actor.inline ? { atMostOnce: true } : {}),
        ...(node.rollback ? { rollback: () => actor.undo(path) } : {}),
      },
    );
    actor.see(value);
    return path;
  } catch (error) {
    if (!node.caught) throw error;
    // A step with `atMostOnce` is interrupted by what kills its endpoint.
    return node.once ? path : `caught ${path}`;
  }
}

/** What a step's work comes to, at its nth execution. */
export function outcomeOf({ path, node }: StepWork, execution: number): string {
  if (node.final) throw new WorkflowNonRetryableError(`never ${path}`);
  if (execution <= node.failures) throw new Error(`not yet ${path}`);
  return `${path} ${execution}${node.long ? " ".padEnd(LONG, "x") : ""}`;
}
