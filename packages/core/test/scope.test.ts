import { describe, expect, it, vi } from "vitest";
import type { StepRecord } from "../src/protocol/index.ts";
import type { Invocation, NewEntry, ReplayResult } from "../src/replay/invocation.ts";
import { replay } from "../src/replay/run.ts";
import { readStepHistory } from "../src/replay/step-history.ts";
import { run } from "../src/steps/index.ts";
import { blindScope, createScope } from "../src/util/scope.ts";

type Start = (request: Parameters<Invocation["start"]>[0]["request"]) => unknown;

const io = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Runs a workflow on a platform that can't follow code across an await. */
async function without(workflow: Start, records: StepRecord[] = []) {
  const appended: NewEntry[] = [];
  const ending: ReplayResult = await replay({
    history: readStepHistory(records),
    runId: "wfr_1",
    originalRunId: "wfr_1",
    attempt: { retried: 0, maxRetries: undefined },
    withStack: true,
    engine: () => expect.unreachable(),
    start: ({ request }) => workflow(request),
    append: async (entries) => {
      appended.push(...entries);
      return "recorded";
    },
    scope: blindScope,
  });
  return { ending, appended };
}

describe("the platform's scope", () => {
  it("follows code across an await", async () => {
    const scope = createScope();
    const owner = {};
    expect(scope).not.toBe(blindScope);
    expect(scope.getStore()).toBeUndefined();
    await scope.run(owner, async () => {
      await io();
      expect(scope.getStore()).toBe(owner);
    });
  });
});

describe("a platform", () => {
  class Storage {
    getStore = () => undefined;
    run = <Result>(_owner: object, work: () => Result) => work();
  }
  const refuses = () => {
    throw new Error("A Node.js API is used which is not supported in the Edge Runtime");
  };

  it.each<[string, object]>([
    ["has the class as a global", { AsyncLocalStorage: Storage }],
    [
      "has it as a global beside a process that throws",
      { AsyncLocalStorage: Storage, process: { getBuiltinModule: refuses } },
    ],
    [
      "has it as a module",
      {
        process: {
          getBuiltinModule: (id: string) =>
            id === "node:async_hooks" ? { AsyncLocalStorage: Storage } : undefined,
        },
      },
    ],
  ])("that %s, has a scope", (_name, platform) => {
    expect(createScope(platform)).toBeInstanceOf(Storage);
  });

  it.each<[string, object]>([
    ["nothing of the kind", {}],
    ["a process without modules", { process: {} }],
    ["a process that knows no such module", { process: { getBuiltinModule: () => undefined } }],
    ["a process that throws", { process: { getBuiltinModule: refuses } }],
    [
      "a process that throws already when it is looked at",
      {
        process: {
          get getBuiltinModule() {
            return refuses();
          },
        },
      },
    ],
  ])("that has %s, has none, and harms nothing", (_name, platform) => {
    expect(createScope(platform)).toBe(blindScope);
  });

  it("that throws doesn't keep the package from being imported", async () => {
    const original = process.getBuiltinModule;
    vi.resetModules();
    process.getBuiltinModule = refuses;
    try {
      await expect(import("../src/index.ts")).resolves.toHaveProperty("serve");
    } finally {
      process.getBuiltinModule = original;
    }
  });
});

describe("where the platform can't follow code", () => {
  it("a nested step still is refused and never hangs", async () => {
    const { ending, appended } = await without((request) =>
      request(
        run("outer", async () => {
          await io();
          await request(run("inner", () => 1));
        }),
      ),
    );
    expect(ending).toMatchObject({ kind: "threw", error: { code: "nested_step" } });
    expect(appended).toEqual([]);
  });

  it("a sibling started late doesn't disturb the step that runs, and is asked for again by the next delivery", async () => {
    let ran = 0;
    const workflow: Start = (request) => {
      const late = async () => {
        await io();
        return request(run("late", () => ++ran));
      };
      const early = run("early", async () => {
        for (let turn = 0; turn < 5; turn++) await io();
        return ++ran;
      });
      return Promise.all([request(early), late()]);
    };
    const first = await without(workflow);
    expect(first.ending.kind).toBe("recorded");
    const records = first.appended.map((entry) =>
      entry.kind === "record" ? entry.record : expect.unreachable(),
    );
    expect(records).toMatchObject([{ stepId: 1, stepName: "early", out: "1" }]);
    const second = await without(workflow, records);
    expect(second.appended).toMatchObject([{ record: { stepId: 2, stepName: "late", out: "2" } }]);
  });
});
