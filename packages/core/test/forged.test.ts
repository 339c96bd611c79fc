import { failureBody, failureHeaders, KEYS, sign, type Token, URL } from "@perdure/test-support/delivery";
import {
  callHeaders,
  forgeriesOf,
  type Genuine,
  genuine,
  KINDS,
  type Sent,
  STRANGER,
  signedBy,
  tokenOf,
} from "@perdure/test-support/forgeries";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createWorkflow, memoryReplayGuard, type ReplayGuard, serve, serveMany } from "../src/index.ts";
import type { DeliveryKind } from "../src/protocol/index.ts";
import type { EndpointOptions } from "../src/server/endpoint-config.ts";
import { answerOf, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const PAYLOAD = { a: 1 };
const of = (kind: DeliveryKind) => genuine(kind, URL, PAYLOAD);

/** What of the user's code has run. */
type Ran = ("workflow" | "failure function" | "cancel function" | "middleware" | "schema")[];

function endpoint(options: EndpointOptions = {}) {
  const ran: Ran = [];
  const { handler } = serve(
    async (context) => {
      ran.push("workflow");
      await context.run("one", () => 1);
    },
    {
      env: { PERDURE_URL: recorder().url, PERDURE_TOKEN: "token" },
      ...(options.receiver ? {} : { keys: KEYS }),
      initialPayloadParser: (text) => {
        ran.push("schema");
        return text;
      },
      failureFunction: () => void ran.push("failure function"),
      cancelFunction: () => void ran.push("cancel function"),
      ...options,
    },
  );
  return { ran, send: (sent: Sent) => handler(requestOf(sent)) };
}

function requestOf({ url, body, headers }: Sent): Request {
  const all = new Headers();
  for (const [name, value] of Object.entries(headers))
    for (const one of [value].flat()) all.append(name, one);
  return new Request(url, { method: "POST", body, headers: all });
}

/** Refused with one of these, and nothing has happened. */
async function expectRefused(
  answer: Promise<Response>,
  ran: Ran,
  statuses: readonly number[] = [400, 401],
  name = "",
): Promise<void> {
  const { status, body } = await answerOf(answer);
  expect(statuses, name).toContain(status);
  expect(Object.keys(body), name).toEqual(["error", "message"]);
  if (status !== 400) expect(body.message, name).toBe(STRANGER[status]);
  expect(ran, name).toEqual([]);
  expect(recorder().requests, name).toEqual([]);
}

describe("the token of a call", () => {
  const asCall = (kind: DeliveryKind): Promise<Sent> => {
    const delivery = of(kind);
    return signedBy(delivery, { claim: { messageId: "", ...tokenOf(delivery).claim, kind: "call" } });
  };

  it.each(KINDS.filter((kind) => kind !== "start"))("isn't good for a %s", async (kind) => {
    const { ran, send } = endpoint();
    await expectRefused(send(await asCall(kind)), ran, [401]);
  });

  it("is good for a start, and not for a run that is to be configured", async () => {
    const { send } = endpoint();
    const sent = await asCall("start");
    expect((await send(sent)).status).toBe(200);
    const announced = { "Upstash-Workflow-Unknown-Sdk": "true", "Upstash-Workflow-RunId": "wfr_1" };
    expect((await send({ ...sent, headers: { ...sent.headers, ...announced } })).status).toBe(401);
  });

  const ENGINE_HEADERS: Readonly<Record<string, string>> = {
    "Perdure-Run-Options": JSON.stringify({ retries: 99, flowControl: { key: "shared", rate: 1 } }),
    "Perdure-Max-Retries": "9d",
    "Perdure-Run-Timeout": "1s",
    "Perdure-Failure-Options": "Upstash-Retries",
    "Perdure-Trigger-Id": "mine",
    "Perdure-Capabilities": "retries=0",
    "Perdure-Rollback": "done",
  };

  it.each<[string, EndpointOptions]>([
    ["keys", {}],
    ["a receiver", { receiver: { verify: async () => true } }],
  ])("gives the engine's own headers no meaning, checked by %s", async (_name, options) => {
    const { send } = endpoint(options);
    const start = of("start");
    const delivery = { ...start, headers: { ...start.headers, ...ENGINE_HEADERS } };
    const { claim } = tokenOf(delivery);
    const answer = await send(await signedBy(delivery, { claim: { messageId: "", ...claim, kind: "call" } }));
    expect(answer.status).toBe(200);
    const [run] = recorder().published;
    const names = Object.keys(run?.headers ?? {});
    expect(names.filter((name) => /perdure-|flow-control|retries/.test(name))).toEqual([]);
  });
});

/** As hosted QStash signs: for the bytes and the URL, and nothing else. */
async function hosted(delivery: Genuine, more: Record<string, string | undefined> = {}): Promise<Sent> {
  const signature = await sign(delivery.body, { subject: delivery.url });
  const headers = Object.entries({ ...delivery.headers, ...more, "Upstash-Signature": signature });
  return {
    ...delivery,
    headers: Object.fromEntries(headers.filter((entry): entry is [string, string] => entry[1] !== undefined)),
  };
}

describe.each(KINDS)("a %s", (kind) => {
  it("as the engine makes it is let in", async () => {
    const { send } = endpoint();
    expect((await send(await signedBy(of(kind)))).status).toBe(200);
  });

  it.each(["keys alone", "keys and a hook that allows it", "keys and a URL"])(
    "that only looks like it is refused by %s",
    async (how) => {
      vi.spyOn(console, "warn").mockImplementation(() => {});
      const { ran, send } = endpoint({
        ...(how.includes("hook") ? { authorize: () => true } : {}),
        ...(how.includes("URL") ? { baseUrl: "https://app.example.com" } : {}),
      });
      for (const [name, forgery] of await forgeriesOf(of(kind)))
        await expectRefused(send(forgery), ran, [400, 401], name);
    },
  );

  it("that was captured elsewhere is refused", async () => {
    const { ran, send } = endpoint({ baseUrl: "https://app.example.com" });
    for (const url of ["https://staging.example.com/api/wf", "http://app.example.com/api/wf", `${URL}/`])
      await expectRefused(send(await signedBy(of(kind), { subject: url })), ran);
  });

  it("that was captured on its way to a workflow beside it is refused", async () => {
    const ran: Ran = [];
    const workflow = () => createWorkflow(() => void ran.push("workflow"));
    const { handler } = serveMany(
      { one: workflow(), two: workflow() },
      {
        env: { PERDURE_URL: recorder().url, PERDURE_TOKEN: "token" },
        keys: KEYS,
        failureFunction: () => void ran.push("failure function"),
        cancelFunction: () => void ran.push("cancel function"),
      },
    );
    const captured = await signedBy(genuine(kind, "https://app.example.com/many/one", PAYLOAD));
    await expectRefused(handler(requestOf({ ...captured, url: "https://app.example.com/many/two" })), ran);
    expect((await handler(requestOf(captured))).status).toBe(200);
  });

  it("is refused where nothing says who may call", async () => {
    const told = vi.spyOn(console, "warn").mockImplementation(() => {});
    const ran: Ran = [];
    const failureFunction = () => void ran.push("failure function");
    const { handler } = serve(() => void ran.push("workflow"), { env: {}, failureFunction });
    await expectRefused(handler(requestOf(await signedBy(of(kind)))), ran, [401]);
    expect(told.mock.calls.join()).toMatch(/PERDURE_CURRENT_SIGNING_KEY.*verify: "off"/);
  });

  const verdicts: readonly (readonly [string, () => unknown])[] = [
    ["says no", () => false],
    ["says nothing", () => undefined],
    ...[1, "true", "yes", {}, [], Symbol.iterator, Object(true), () => true].map(
      (value) => [`returns ${typeof value} ${String(value)}`, () => value] as const,
    ),
    ["resolves to what isn't true", async () => "true"],
    [
      "throws",
      () => {
        throw new Error("the database password is wrong");
      },
    ],
    ["rejects", () => Promise.reject(new Error("the database password is wrong"))],
    ["rejects with nothing", () => Promise.reject()],
  ];
  it.each(verdicts)("is refused when the hook %s", async (_name, authorize) => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const { ran, send } = endpoint({ authorize: authorize as () => boolean });
    await expectRefused(send(await signedBy(of(kind))), ran, [403]);
  });

  it.each<[string, number, (hang: () => Promise<never>) => EndpointOptions]>([
    ["the hook", 403, (hang) => ({ authorize: hang })],
    ["the replay guard", 401, (hang) => ({ replayGuard: { seen: hang } })],
  ])("is refused after ten seconds when %s hangs", async (_name, status, optionsOf) => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    let asked = () => {};
    const hanging = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const { ran, send } = endpoint(
      optionsOf(() => {
        asked();
        return new Promise(() => {});
      }),
    );
    const sent = await signedBy(of(kind));
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    let over = false;
    const answer = send(sent).finally(() => {
      over = true;
    });
    await hanging;
    await vi.advanceTimersByTimeAsync(9_999);
    expect(over).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await expectRefused(answer, ran, [status]);
  });

  it("is let in once where there is a replay guard", async () => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const { ran, send } = endpoint({ replayGuard: memoryReplayGuard() });
    const sent = await signedBy(of(kind));
    expect((await send(sent)).status).toBe(200);
    ran.length = 0;
    recorder().reset();
    await expectRefused(send(sent), ran, [401]);
  });

  it.each<[string, Token | ReplayGuard]>([
    ["can't be told from others", { claims: { jti: undefined } }],
    ["has a number for an id", { claims: { jti: 5 } }],
    ["can't be looked up", { seen: () => Promise.reject(new Error("redis is gone")) }],
    ["can't be looked up at all", { seen: () => "false" as unknown as boolean }],
  ])("is refused by a replay guard when its token %s", async (_name, how) => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const [replayGuard, token] = "seen" in how ? [how, {}] : [memoryReplayGuard(), how];
    const { ran, send } = endpoint({ replayGuard });
    await expectRefused(send(await signedBy(of(kind), token)), ran, [401]);
  });
});

describe("a delivery that hosted QStash has signed, which says nothing of its kind,", () => {
  const AS: Readonly<Record<string, Record<string, string>>> = {
    failure: { "Upstash-Workflow-Is-Failure": "true" },
    "failure, by its other header": { "Upstash-Workflow-Failure-Callback": "true" },
    cancel: { "Upstash-Workflow-CallType": "cancelCall" },
    callResult: callHeaders(),
  };
  const cases = (["resume", "callResult", "failure"] as const).flatMap((kind) =>
    Object.keys(AS)
      .filter((as) => !as.startsWith(kind))
      .map((as) => [kind, as] as const),
  );

  it.each(cases)("of a %s does nothing as a %s", async (kind, as) => {
    const { ran, send } = endpoint();
    // A failure goes before the answer to a call, so it has to be left out for that.
    const none = { "Upstash-Workflow-Is-Failure": undefined, "Upstash-Workflow-Failure-Callback": undefined };
    await expectRefused(send(await hosted(of(kind), { ...none, ...AS[as] })), ran);
  });

  it("of a failure does nothing for another run", async () => {
    const { ran, send } = endpoint();
    const other = { "Upstash-Workflow-RunId": "wfr_other" };
    await expectRefused(send(await hosted(of("failure"), other)), ran, [400]);
  });

  it("of an answer to a call does nothing for another run, where it names its own", async () => {
    const { ran, send } = endpoint();
    const answer = of("callResult");
    const body = JSON.stringify({ ...JSON.parse(answer.body), workflowRunId: "wfr_other" });
    await expectRefused(send(await hosted({ ...answer, body })), ran, [400]);
  });

  it("of a failure reaches the failure function also where the engine names no dead letter", async () => {
    const { ran, send } = endpoint();
    const { dlqId: _, ...body } = JSON.parse(failureBody());
    const failure = {
      kind: "failure",
      url: URL,
      headers: failureHeaders(),
      body: JSON.stringify(body),
    } as const;
    expect((await send(await hosted(failure))).status).toBe(200);
    expect(ran).toContain("failure function");
  });

  it.each(Object.keys(of("resume").headers).concat("Upstash-Workflow-Invoke-Count"))(
    "does nothing with two of %s",
    async (name) => {
      const { ran, send } = endpoint();
      await expectRefused(send(await hosted(of("resume"), { [name]: "1, 1" })), ran);
    },
  );

  it("can't cancel", async () => {
    const { ran, send } = endpoint();
    await expectRefused(send(await hosted(of("cancel"))), ran, [401]);
  });
});

describe("a stranger", () => {
  it("isn't told which workflows there are", async () => {
    const told = vi.spyOn(console, "warn").mockImplementation(() => {});
    const { handler } = serveMany({ secret: createWorkflow(() => 1) }, { env: {} });
    const answer = await handler(new Request("https://app.example.com/guess", { method: "POST" }));
    expect([answer.status, await answer.text()]).toEqual([404, "No workflow is served here."]);
    expect(told.mock.calls.join()).toContain("one of: secret");
  });

  it("can't have the hook write lines of its own to the console", async () => {
    const told = vi.spyOn(console, "warn").mockImplementation(() => {});
    const { send } = endpoint({ authorize: ({ body }) => body as unknown as boolean });
    await send(await signedBy({ ...of("start"), body: "\n[perdure] all is well" }));
    expect(told.mock.calls.join()).not.toContain("all is well");
  });
});

it("a replay guard needs keys, and says so", async () => {
  const told = vi.spyOn(console, "error").mockImplementation(() => {});
  const receiver = { verify: async () => true };
  for (const options of [{ receiver, keys: KEYS }, { receiver }, { authorize: () => true }]) {
    const { handler } = serve(() => 1, { env: {}, replayGuard: memoryReplayGuard(), ...options });
    expect((await handler(requestOf(await signedBy(of("start"))))).status).toBe(500);
  }
  expect(told.mock.calls.join()).toMatch(/replayGuard needs signing keys/);
});
