import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { type Endpoint, ok, until, type World, type WorldOptions, world } from "../harness.ts";

const PATH = "/v2/flowControl/$";
const LIMITED = { [HEADER.flowControlKey]: "k", [HEADER.flowControlValue]: "parallelism=100" };

function full(options: WorldOptions): { readonly w: World; readonly open: (() => void)[] } {
  const open: (() => void)[] = [];
  const endpoint: Endpoint = () => new Promise((resolve) => open.push(() => resolve(ok())));
  return { w: world(endpoint, options), open };
}

const publish = async (w: World, count: number, headers: Record<string, string> = {}, host = "a.test") => {
  const item = { destination: `https://${host}/`, headers };
  await w.ask("POST", "/v2/batch", { body: JSON.stringify(Array.from({ length: count }, () => item)) });
};
const waiting = async (w: World): Promise<number> => (await w.ask("GET", PATH)).body.waitListSize;
const keys = async (w: World, query = ""): Promise<string[]> =>
  (await w.ask("GET", `/v2/flowControl${query}`)).body.map(
    ({ flowControlKey }: { flowControlKey: string }) => flowControlKey,
  );

describe("messages without a key", () => {
  it("are listed under $ while one of them waits for the parallelism of everything", async () => {
    const { w, open } = full({ limits: { parallelism: 2 } });
    expect(await keys(w)).toEqual([]);
    await publish(w, 2);
    await until(() => open.length === 2);
    expect(await keys(w)).toEqual([]);
    await publish(w, 3);
    await publish(w, 4, { [HEADER.delay]: "1m" });
    expect((await w.ask("GET", PATH)).body).toEqual({
      flowControlKey: "$",
      waitListSize: 3,
      parallelismMax: 2,
      parallelismCount: 2,
      rateMax: 0,
      rateCount: 0,
      ratePeriod: 0,
      ratePeriodStart: 0,
      isPaused: false,
      isPinnedParallelism: false,
      isPinnedRate: false,
    });
    expect(await keys(w)).toEqual(["$"]);
    open.shift()?.();
    await until(() => open.length === 2);
    expect(await waiting(w)).toBe(2);
    w.clock.advance(60_000);
    expect(await waiting(w)).toBe(6);
    await until(() => {
      open.shift()?.();
      return w.calls.length === 9 && open.length === 0;
    });
    expect(await keys(w)).toEqual([]);
  });

  it("are told apart from those that have one", async () => {
    const { w, open } = full({ limits: { parallelism: 1 } });
    await publish(w, 3, LIMITED);
    await publish(w, 1);
    await until(() => open.length === 1);
    expect(await waiting(w)).toBe(1);
    expect(await keys(w)).toEqual(["$", "k"]);
    expect([await keys(w, "?search=$"), await keys(w, "?search=k"), await keys(w, "?search=$k")]).toEqual([
      ["$"],
      ["k"],
      [],
    ]);
  });

  it("count too where their destination has no room beside the others", async () => {
    const { w, open } = full({ concurrency: 4, limits: { parallelism: 10 } });
    await publish(w, 5);
    await until(() => open.length === 2);
    expect((await w.ask("GET", PATH)).body).toMatchObject({ waitListSize: 3, parallelismCount: 2 });
    await publish(w, 1, {}, "b.test");
    await until(() => open.length === 3);
    expect(await waiting(w)).toBe(3);
    // The newest first: those that wait.
    await w.ask("DELETE", "/v2/messages?host=a.test&count=2");
    expect(await waiting(w)).toBe(1);
  });

  it("don't wait for room on an engine that delivers nothing", async () => {
    const { w } = full({});
    await w.engine.stop({ deadline: 0 });
    await publish(w, 1);
    expect(await waiting(w)).toBe(0);
  });
});

describe("$", () => {
  it("is a key that nobody can have, or change", async () => {
    const w = world();
    const headers = { ...LIMITED, [HEADER.flowControlKey]: "$" };
    const error = { status: 400, body: { error: expect.stringContaining(HEADER.flowControlKey) } };
    expect(await w.ask("POST", "/v2/publish/https://a.test/", { headers })).toMatchObject(error);
    for (const action of ["pause", "resume", "pin?parallelism=1", "unpin", "reset", "resetRate"]) {
      expect((await w.ask("POST", `${PATH}/${action}`)).status).toBe(400);
    }
    expect(w.calls).toEqual([]);
  });
});
