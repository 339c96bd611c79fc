import { history, request, runHeaders } from "@perdure/test-support/delivery";
import { describe, expect, it } from "vitest";
import { Client, createWorkflow, serve, serveMany } from "../src/index.ts";
import { decodeCapabilities } from "../src/protocol/index.ts";
import { deliver, open, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
const url = "https://a.example/order";
const sibling = createWorkflow(() => 1);

/** An option's values: those that hold, and those that are refused. `undefined` leaves every option out. */
interface Values {
  readonly holds: readonly unknown[];
  readonly refused: readonly unknown[];
}

const NEVER = [-1, Number.NaN, Infinity, null, true, {}, 1n];
const COUNT: Values = { holds: [undefined, 0, 1, 10_000], refused: [...NEVER, 0.5, 1e300, "", "1", "0s"] };
const WAIT: Values = {
  holds: [undefined, 0, 0.5, "0s", "1.5h", 1e11],
  refused: [...NEVER, 1e300, 1.8e12, "1"],
};
const LIMIT: Values = {
  holds: [undefined, 0.5, "1ms", "1.5h", 1e11],
  refused: [...NEVER, 0, "0s", "0ms", "", "1", 1e300, 1.8e12, "soon"],
};
// The official client leaves an option out by an empty string; an expression may stand for a wait.
const RUN_WAIT: Values = {
  holds: [...WAIT.holds, "", "1000 * pow(2, retried)"],
  refused: [...NEVER, 1e300, 1.8e12, "soon"],
};
const STEP_WAIT: Values = { holds: [...WAIT.holds, () => 1], refused: [...WAIT.refused, "", "soon"] };

const RUN_OPTIONS: Readonly<Record<string, Values>> = {
  retries: COUNT,
  retryDelay: RUN_WAIT,
  failureRetries: COUNT,
  failureRetryDelay: RUN_WAIT,
  timeout: LIMIT,
};
const CALL_OPTIONS = { retries: COUNT, retryDelay: RUN_WAIT, timeout: LIMIT };
const ROLLBACK_OPTIONS = {
  rollbackRetries: COUNT,
  rollbackRetryDelay: STEP_WAIT,
  rollbackTimeout: LIMIT,
};
const STEP_OPTIONS = { retries: COUNT, retryDelay: STEP_WAIT, ...ROLLBACK_OPTIONS };

const recorderEnv = () => ({ PERDURE_URL: recorder().url, PERDURE_TOKEN: "t" });

type Use = (options: never) => unknown;

async function inStep(ask: Parameters<typeof open>[1]): Promise<void> {
  const { status, body } = await deliver(open(recorder(), ask), []);
  if (body.error === "TypeError") throw new TypeError(String(body.message));
  expect(status).toBe(200);
}

async function inSibling(options: object): Promise<void> {
  const parent = createWorkflow((context) => context.invoke("a", { workflow: sibling, ...options }));
  const { handler } = serveMany({ wf: parent, sibling }, { env: recorderEnv(), verify: "off" });
  const { status, body } = await deliver(handler, []);
  if (body.error === "TypeError") throw new TypeError(String(body.message));
  expect(status).toBe(200);
}

const client = () => new Client({ baseUrl: recorder().url, token: "t" });

const USES: readonly [string, Readonly<Record<string, Values>>, Use][] = [
  ["serve", RUN_OPTIONS, (options: object) => serve(() => 1, options)],
  [
    "createWorkflow",
    RUN_OPTIONS,
    (options: object) => serveMany({ wf: createWorkflow(() => 1, options) }, { verify: "off" }),
  ],
  ["trigger", RUN_OPTIONS, (options: object) => client().trigger({ url, ...options })],
  [
    "schedules.create",
    RUN_OPTIONS,
    (options: object) => client().schedules.create({ url, cron: "* * * * *", ...options }),
  ],
  ["invoke", { ...RUN_OPTIONS, ...ROLLBACK_OPTIONS }, inSibling],
  ["run", STEP_OPTIONS, (options: object) => inStep((context) => context.run("a", () => 1, options))],
  [
    "call",
    { ...CALL_OPTIONS, ...ROLLBACK_OPTIONS },
    (options: object) => inStep((context) => context.call("a", { url, ...options })),
  ],
  [
    "flowControl",
    { "flowControl.parallelism": COUNT, "flowControl.rate": COUNT, "flowControl.period": LIMIT },
    (options: object) => {
      const [[name = "", value] = []] = Object.entries(options);
      const flowControl = { key: "k", parallelism: 1, rate: 1, [name.replace("flowControl.", "")]: value };
      return client().trigger({ url, flowControl });
    },
  ],
];

const show = (value: unknown): string => (typeof value === "string" ? `"${value}"` : `${String(value)}`);

describe.each(USES)("%s", (_name, options, use) => {
  const settle = async (name: string, value: unknown) => use({ [name]: value } as never);

  describe.each(Object.entries(options))("%s", (name, { holds, refused }) => {
    it.each(holds.map((value) => [show(value), value]))("may be %s", async (_shown, value) => {
      await expect(settle(name, value)).resolves.not.toThrow();
    });

    it.each(refused.map((value) => [show(value), value]))("can't be %s", async (_shown, value) => {
      const refusal = await settle(name, value).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(TypeError);
      expect((refusal as Error).message).toMatch(
        new RegExp(`^(?:In step "a": )?${name}( of step "a")? must be `),
      );
      expect(recorder().requests).toEqual([]);
    });
  });
});

it("more retries than four digits reach the engine, which has a limit of its own", async () => {
  const policy = { retries: 10_000, failureRetries: 123_456 };
  const headers = { ...runHeaders(), "Perdure-Max-Retries": "3" };
  const { handler } = serve(() => 1, { verify: "off", env: recorderEnv(), ...policy });
  const answer = await handler(request(history({}), headers));
  expect(decodeCapabilities(answer.headers.get("Perdure-Capabilities") ?? "")).toMatchObject(policy);
});
