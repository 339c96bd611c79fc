import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HEADER } from "@perdure/core/protocol";
import { ON_POSTGRES } from "@perdure/test-support/mode";
import { afterEach, beforeEach, expect, it } from "vitest";
import { APP, decode, historyOf, OWN_TOKEN, ok, runIdOf, until, type World, world } from "./harness.ts";
import { callMessage } from "./inline/asks.ts";
import { asksFor, inline, invocationOf } from "./inline/invocation.ts";
import { app, callStep, isAnswer, recordsOf, THIRD, to, workflow } from "./steps.ts";

const MIB = 1024 * 1024;
const PART = 32 * 1024;
/** Room for large bodies, and none too little for requests. */
const LIMITS = { inFlightBytes: MIB, requestBytes: 64 * MIB };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "perdure-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A third party that sends as fast as it is read, and the end of each answer when it may. */
function sender(bytes: number) {
  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  let sent = 0;
  const answer = (): Response => {
    let left = bytes;
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          if (left <= PART) await ended;
          const part = Math.min(PART, left);
          controller.enqueue(new Uint8Array(part).fill(97));
          left -= part;
          sent += part;
          if (left === 0) controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body, { headers: { "Content-Type": "text/plain" } });
  };
  return { answer, sent: () => sent, end };
}

/** Until nothing more is read. */
async function quiet(sent: () => number): Promise<void> {
  for (let before = -1; before !== sent(); ) {
    before = sent();
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

const outOf = (w: World, runId: string): { body: string } => {
  const last = to(w, APP).findLast((call) => runIdOf(call) === runId && !isAnswer(call));
  const record = recordsOf(last as never)[0];
  return JSON.parse(record?.out ?? "{}");
};

it("answers that arrive at once are read as far as there is room, stored once, and brought to their runs", async () => {
  const [runs, bytes] = [8, MIB / 2];
  const file = join(folder, "a.db");
  const third = sender(bytes);
  const w = world(app({ [APP]: workflow(callStep()), [THIRD]: third.answer }), {
    file,
    limits: LIMITS,
  });
  for (let at = 0; at < runs; at++) await w.start(`wfr_${at}`);
  await until(() => third.sent() > 0);
  await quiet(third.sent);
  // 1 MiB, one answer that goes on nevertheless, and what each reads without asking.
  expect(third.sent()).toBeGreaterThan(MIB / 2);
  expect(third.sent()).toBeLessThan(MIB + bytes + runs * 3 * PART);
  third.end();
  await w.engine.idle();
  expect(third.sent()).toBe(runs * bytes);
  for (const at of [0, runs - 1]) {
    expect((await w.run(`wfr_${at}`)).workflowState).toBe("RUN_SUCCESS");
    expect(outOf(w, `wfr_${at}`).body).toHaveLength(bytes);
  }
  await w.engine.stop();
  await w.store.close();
  // In base64 within a JSON text, as it is delivered: the endpoint's record, which is of the same size, is another one.
  if (!ON_POSTGRES) expect(statSync(file).size).toBeLessThan(runs * bytes * 2.6);
});

it("a small answer doesn't wait for large ones", async () => {
  const third = sender(MIB / 2);
  const small = "https://small.test/";
  const w = world(
    app({
      [APP]: (call, self) =>
        workflow(callStep(runIdOf(call) === "wfr_small" ? { url: small } : {}))(call, self),
      [THIRD]: third.answer,
      [small]: () => new Response("x".repeat(60_000)),
    }),
    { limits: LIMITS },
  );
  for (let at = 0; at < 8; at++) await w.start(`wfr_${at}`);
  await quiet(third.sent);
  await w.start("wfr_small");
  await until(async () => (await w.run("wfr_small")).workflowState === "RUN_SUCCESS");
  third.end();
  await w.engine.idle();
});

it("answers to runs that are inline are stored once, and their endpoints fetch them part by part", async () => {
  const [runs, bytes] = [4, MIB];
  const file = join(folder, "a.db");
  const body = '"é\u0001'.repeat(bytes / 4);
  const fetched = new Map<string, string>();
  const asks = inline(({ park, runId }) => park(asksFor(1, "Call", callMessage(runId, 1))));
  const w = world(
    app({
      [APP]: async (call, self) => {
        const runId = runIdOf(call);
        if (call.text !== "") return asks(call, self);
        const { body: entries } = await self.ask("GET", `/v2/workflows/runs/${runId}`);
        fetched.set(runId, decode(entries.at(-1).body));
        return invocationOf({ ...call, text: JSON.stringify(entries) }, self).returned(1);
      },
      [THIRD]: () => new Response(body),
    }),
    { file, limits: LIMITS },
  );
  for (let at = 0; at < runs; at++) await w.start(`wfr_${at}`);
  await w.engine.idle();
  expect(fetched.size).toBe(runs);
  for (const [runId, record] of fetched) {
    expect((await w.run(runId)).workflowState).toBe("RUN_SUCCESS");
    const { out, ...fields } = JSON.parse(record);
    expect(fields).toEqual({ stepId: 1, stepName: "step1", stepType: "Call", concurrent: 1 });
    const { status, body: recorded } = JSON.parse(out);
    expect(status).toBe(200);
    expect(Buffer.from(recorded, "latin1").toString() === body).toBe(true);
  }
  await w.engine.stop();
  await w.store.close();
  // Each quotation mark has four bytes there, each byte of another script two, and a control character seven.
  const record = (bytes / 4) * (4 + 2 * 2 + 7);
  if (!ON_POSTGRES) expect(statSync(file).size).toBeLessThan(runs * record * 1.1);
});

it("a client that stops reading a history keeps no memory from others", async () => {
  const w = world(app({ [APP]: workflow(callStep()), [THIRD]: () => new Response("x".repeat(3 * MIB)) }), {
    limits: LIMITS,
  });
  await w.start("wfr_1");
  await w.engine.idle();
  const url = "http://engine.test/v2/workflows/runs/wfr_1?ended=true";
  const headers = { Authorization: `Bearer ${OWN_TOKEN}` };
  const readers = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const { body } = await w.engine.fetch(new Request(url, { headers }));
      return (body as ReadableStream<Uint8Array>).getReader();
    }),
  );
  const [stalled, other, gone] = readers as [Reader, Reader, Reader];
  // Each has begun with the body; the first one has it in memory, and takes no more of it.
  for (let part = 0; part < 4; part++) await stalled.read();
  const rest = readRest(other);
  w.clock.advance(5000);
  const whole = await rest;
  expect(JSON.parse(whole)).toHaveLength(3);
  await gone.cancel();
  expect((await readRest(stalled)).length).toBeLessThan(whole.length);
});

type Reader = ReadableStreamDefaultReader<Uint8Array>;

async function readRest(reader: Reader): Promise<string> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(parts).toString();
    parts.push(value);
  }
}

it("an answer and a history with a large answer travel as they are described", async () => {
  const body = "ä".repeat(100_000);
  const w = world(app({ [APP]: workflow(callStep()), [THIRD]: () => new Response(body) }));
  await w.start("wfr_1");
  await w.engine.idle();
  const [answer] = to(w, APP).filter(isAnswer);
  const callback = JSON.parse(answer?.text ?? "{}");
  expect(decode(callback.body)).toBe(body);
  const last = to(w, APP).findLast((call) => !isAnswer(call));
  expect(historyOf(last as never).map(({ callType }) => callType)).toContain("fromCallback");
  const recorded = historyOf(last as never).find(({ callType }) => callType === "fromCallback");
  expect(JSON.parse(decode(recorded?.body ?? ""))).toMatchObject({ status: 200, body: callback.body });
  expect(await w.run("wfr_1")).toMatchObject({ workflowState: "RUN_SUCCESS" });
});

it("a call's own large payload reaches the third party", async () => {
  const payload = "p".repeat(200_000);
  const w = world(
    app({ [APP]: workflow(callStep({ method: "POST", body: payload })), [THIRD]: () => ok("fine") }),
  );
  await w.start("wfr_1", { [HEADER.retries]: "0" });
  await w.engine.idle();
  expect(to(w, THIRD).map(({ text }) => text)).toEqual([payload]);
});
