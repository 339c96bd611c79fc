import { describe, expect, it, vi } from "vitest";
import { createApi } from "../src/engine-client/api.ts";
import { createAppend } from "../src/engine-client/append-queue.ts";
import { connect } from "../src/engine-client/http.ts";
import { Client } from "../src/index.ts";
import { useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
const url = "https://app.example.com/wf";

interface Item {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Starts as many runs at once, named by their numbers. */
function triggerAtOnce(count: number, body = "payload") {
  const client = new Client({ baseUrl: recorder().url, token: "token", retry: false });
  const names = Array.from({ length: count }, (_, at) => String(at));
  return Promise.allSettled(names.map((workflowRunId) => client.trigger({ url, workflowRunId, body })));
}

const sizes = () => recorder().requests.map(({ body }) => JSON.parse(body).length as number);
const runOf = ({ headers }: Item) => headers["upstash-workflow-runid"];
const ids = (results: readonly PromiseSettledResult<{ workflowRunId: string }>[]) =>
  results.map((result) => (result.status === "fulfilled" ? result.value.workflowRunId : result.reason));

describe("runs that are triggered at once", () => {
  it("share requests while eight others wait for their answers", async () => {
    const results = await triggerAtOnce(40);
    expect(ids(results)).toEqual(Array.from({ length: 40 }, (_, at) => `wfr_${at}`));
    // One of the eight may arrive behind a later one.
    const ascending = sizes().sort((a, b) => a - b);
    expect(ascending.slice(0, 8)).toEqual(Array(8).fill(1));
    expect(ascending.length).toBeLessThan(17);
    expect(recorder().published).toHaveLength(40);
  });

  it("each get their own answer: a refusal of one is no refusal of the others", async () => {
    recorder().answer = ({ body }) => ({
      body: JSON.parse(body).map((item: Item) =>
        runOf(item) === "wfr_30"
          ? { error: "no such queue" }
          : { messageId: "m", deduplicated: runOf(item) === "wfr_31" },
      ),
    });
    const results = await triggerAtOnce(40);
    expect(results.filter(({ status }) => status === "rejected")).toHaveLength(1);
    expect(results[30]).toMatchObject({ reason: { code: "engine_refused" } });
    expect(
      results.flatMap((result, at) => (result.status === "fulfilled" && result.value.deduplicated ? at : [])),
    ).toEqual([31]);
  });

  it.each([400, 412, 413])(
    "are sent again alone when the engine answers %d to a shared request",
    async (status) => {
      recorder().answer = ({ body }) =>
        JSON.parse(body).some((item: Item) => runOf(item) === "wfr_30")
          ? { status, body: { error: "refused" } }
          : undefined;
      const results = await triggerAtOnce(40);
      expect(results.flatMap((result, at) => (result.status === "rejected" ? at : []))).toEqual([30]);
      expect(
        recorder().requests.some(
          ({ body }) => JSON.parse(body).length === 1 && runOf(JSON.parse(body)[0]) === "wfr_30",
        ),
      ).toBe(true);
    },
  );

  it("all fail when the engine fails", async () => {
    recorder().answer = () => ({ status: 500, body: { error: "down" } });
    const results = await triggerAtOnce(40);
    expect(results.map(({ status }) => status)).toEqual(Array(40).fill("rejected"));
    expect(sizes().reduce((sum, size) => sum + size, 0)).toBe(40);
  });

  it("make no request larger than 512 kB, unless one alone is", async () => {
    await triggerAtOnce(20, "x".repeat(200_000));
    expect(Math.max(...sizes())).toBe(2);
    recorder().reset();
    await triggerAtOnce(12, "x".repeat(600_000));
    expect(sizes()).toEqual(Array(12).fill(1));
  });

  it("don't wait long for requests that get no answer", async () => {
    let release = () => {};
    const held = new Promise<undefined>((resolve) => {
      release = () => resolve(undefined);
    });
    recorder().answer = ({ body }) => (Number(runOf(JSON.parse(body)[0])?.slice(4)) < 8 ? held : undefined);
    const started = triggerAtOnce(9);
    await vi.waitFor(() => expect(sizes()).toHaveLength(9), { timeout: 60_000 });
    release();
    expect(ids(await started)).toContain("wfr_8");
  });
});

describe("appends", () => {
  const appendAtOnce = (count: number) => {
    const { http } = connect({ baseUrl: recorder().url, token: "token" }, ["PERDURE_TOKEN", "PERDURE_URL"]);
    const append = createAppend(createApi(() => http));
    const leases = Array.from({ length: count }, (_, at) => `lease_${at}`);
    return Promise.all(
      leases.map((lease) => append({ lease, invocation: "one", after: 1, records: [], underWay: [] })),
    );
  };
  const leasesIn = (body: string): string[] =>
    (JSON.parse(body).appends as { readonly lease: string }[]).map(({ lease }) => lease);
  const stored = { news: [] };

  it("travel in two requests at a time, which those that come meanwhile share", async () => {
    let open = 0;
    let most = 0;
    recorder().answer = async ({ body }) => {
      most = Math.max(most, ++open);
      await new Promise((resolve) => setTimeout(resolve, 20));
      open--;
      return { body: { appends: leasesIn(body).map(() => stored) } };
    };
    expect(await appendAtOnce(40)).toEqual(Array(40).fill(stored));
    expect(most).toBe(2);
    expect(recorder().requests.map(({ body }) => leasesIn(body).length)).toEqual([1, 1, 38]);
  });

  it.each([400, 413])(
    "are sent again alone when the engine answers %d to a shared request",
    async (status) => {
      recorder().answer = ({ body }) => {
        const leases = leasesIn(body);
        if (leases.includes("lease_7")) return { status, body: { error: "no" } };
        return { body: { appends: leases.map(() => stored) } };
      };
      const answers = await appendAtOnce(10);
      expect(answers.filter((answer) => "news" in answer)).toHaveLength(9);
      expect(answers[7]).toMatchObject({ error: "refused" });
    },
  );

  it.each([
    ["goes on when the engine answers 5xx twice", 503, 2, 3, "stored"],
    ["gives up at the third 5xx", 500, 3, 3, "answers 500 to POST /v2/workflows/append"],
    ["isn't sent again at another status", 429, 1, 1, "answers 429 to POST /v2/workflows/append"],
  ] as const)("%s", async (_name, status, failing, requests, outcome) => {
    recorder().answer = () =>
      recorder().requests.length > failing
        ? { body: { appends: [stored] } }
        : { status, body: { error: "no" } };
    const said = await appendAtOnce(1).then(
      () => "stored",
      (error: Error) => error.message,
    );
    expect(said).toContain(outcome);
    expect(recorder().requests).toHaveLength(requests);
  });
});
