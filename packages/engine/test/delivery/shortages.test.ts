import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { shortageOf } from "../../src/delivery/shortage-backoff.ts";
import type { Transport } from "../../src/delivery/transport.ts";
import { START, type World, world } from "../harness.ts";

const refusal = (code: string, more: object = {}): Error =>
  Object.assign(new Error(`connect ${code}`), { code, ...more });

/** Fails as long as there are errors, and then answers. */
function failing(errors: Error[]): {
  transport: Transport;
  sent: { at: number; retried: string | null }[];
  w: World;
} {
  const sent: { at: number; retried: string | null }[] = [];
  const transport: Transport = {
    async send({ headers }) {
      sent.push({ at: w.clock.now() - START, retried: new Headers(headers).get(HEADER.retried) });
      const error = errors.shift();
      if (error) throw error;
      return { status: 200, headers: {}, body: new Uint8Array(), cut: false };
    },
    close: async () => {},
  };
  const w = world(undefined, { transport });
  return { transport, sent, w };
}

const publish = (w: World, headers: Record<string, string> = {}): ReturnType<World["ask"]> =>
  w.ask("POST", "/v2/publish/https://a.test/", { headers });
const told = (w: World): unknown[] => w.events.filter(({ type }) => type === "shortage");

describe("a shortage of this machine's own", () => {
  it.each(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"])("is no attempt: %s", async (code) => {
    const { sent, w } = failing([refusal(code), refusal(code), refusal(code)]);
    await publish(w, { [HEADER.retries]: "0" });
    await w.drain();
    expect(sent).toEqual([0, 100, 300, 700].map((at) => ({ at, retried: "0" })));
    expect(told(w)).toEqual([100, 200, 400].map((wait) => ({ type: "shortage", code, wait })));
    expect(w.events.at(-1)).toMatchObject({ type: "delivered", attempt: 1 });
    expect(await w.deadLetters()).toEqual([]);
  });

  it("is told of once, and begins nothing while it lasts", async () => {
    const { sent, w } = failing(Array.from({ length: 5 }, () => refusal("EMFILE")));
    for (let at = 0; at < 5; at++) await publish(w);
    await w.engine.idle();
    const before = sent.length;
    await publish(w);
    await w.engine.idle();
    expect(sent).toHaveLength(before);
    expect(told(w)).toHaveLength(1);
    await w.drain();
    expect(w.events.filter(({ type }) => type === "delivered")).toHaveLength(6);
  });

  it("has a short rest again after something went through", async () => {
    const errors = [refusal("EMFILE"), refusal("EMFILE")];
    const { w } = failing(errors);
    await publish(w);
    await w.drain();
    errors.push(refusal("ENFILE"));
    await publish(w);
    await w.drain();
    expect(told(w)).toMatchObject([{ wait: 100 }, { wait: 200 }, { wait: 100 }]);
  });

  it("is recognised behind several errors, and told apart from a destination's own", () => {
    const all = new AggregateError([refusal("ENETUNREACH"), refusal("EMFILE")]);
    const noPort = refusal("EADDRNOTAVAIL", { address: "192.0.2.1", port: 80 });
    expect([all, noPort].map(shortageOf)).toEqual(["EMFILE", "EADDRNOTAVAIL"]);
    for (const error of [
      refusal("ECONNREFUSED"),
      refusal("EADDRNOTAVAIL", { address: "::1", port: 3000 }),
      refusal("EADDRNOTAVAIL", { address: "127.0.0.1", port: 0 }),
      new Error("EMFILE"),
      undefined,
    ]) {
      expect(shortageOf(error)).toBeUndefined();
    }
  });
});
