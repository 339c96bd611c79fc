import { DEV_CREDENTIALS, HEADER } from "@perdure/core/protocol";
import { Receiver } from "@upstash/qstash";
import { describe, expect, it } from "vitest";
import { createKeys, newSigningKey, newToken } from "../../src/delivery/keys.ts";
import { createSigner } from "../../src/delivery/signer.ts";
import { ManualClock, type SigningKeys } from "../../src/index.ts";
import { crash, useMachine } from "../crashing.ts";
import { type Call, OWN_TOKEN, ok, type World, world } from "../harness.ts";
import { openTestStore } from "../stores.ts";

const FIRST: SigningKeys = {
  current: DEV_CREDENTIALS.currentSigningKey,
  next: DEV_CREDENTIALS.nextSigningKey,
};
const machine = useMachine();

const rotate = async (w: World): Promise<SigningKeys> =>
  (await w.ask("POST", "/v2/keys/rotate", { token: OWN_TOKEN })).body;
const keysOf = async (w: World): Promise<SigningKeys> => (await w.ask("GET", "/v2/keys")).body;
const accepts = ({ current, next }: SigningKeys, call: Call): Promise<boolean> =>
  new Receiver({ currentSigningKey: current, nextSigningKey: next, devMode: false })
    .verify({ signature: call.headers.get(HEADER.signature) ?? "", body: call.text, url: call.url })
    .catch(() => false);

describe("signing keys", () => {
  it("are rotated: the next one becomes the current one", async () => {
    const w = world();
    expect(await keysOf(w)).toEqual(FIRST);
    const second = await rotate(w);
    expect(second).toEqual({ current: FIRST.next, next: expect.stringMatching(/^sig_[0-9A-Za-z]{28}$/) });
    expect(await keysOf(w)).toEqual(second);
    const third = await rotate(w);
    expect(third).toEqual({ current: second.next, next: expect.not.stringMatching(second.next) });
  });

  it("aren't rotated for somebody with the public token of development", async () => {
    const w = world();
    expect(await w.ask("POST", "/v2/keys/rotate")).toMatchObject({ status: 403 });
    const inQuery = `/v2/keys/rotate?qstash_token=${DEV_CREDENTIALS.token}`;
    expect(await w.ask("POST", inQuery, { token: null })).toMatchObject({ status: 403 });
    expect(await keysOf(w)).toEqual(FIRST);
  });

  it("sign each attempt as they are at that time, and receivers go along", async () => {
    let answers = 0;
    // Signatures are judged by the real time.
    const w = world(() => (++answers % 3 === 0 ? new Response("", { status: 500 }) : ok()), {
      clock: new ManualClock(),
    });
    const publish = (at: number) =>
      w.ask("POST", `/v2/publish/https://a.test/${at}`, { headers: { [HEADER.retryDelay]: "1" } });
    const pairs = [FIRST];
    for (let turn = 0; turn < 5; turn++) {
      const traffic = Array.from({ length: 20 }, (_, at) => publish(turn * 20 + at));
      pairs.push(await rotate(w));
      await Promise.all(traffic);
      await w.drain();
      const [before, after] = pairs.slice(-2) as [SigningKeys, SigningKeys];
      // Receivers need the new pair only by the time of the next rotation.
      for (const call of w.calls.splice(0)) expect(await accepts(before, call)).toBe(true);
      await publish(turn);
      await w.drain();
      for (const call of w.calls.splice(0)) {
        expect([await accepts(after, call), await accepts(FIRST, call)]).toEqual([true, turn === 0]);
      }
    }
    expect(answers).toBeGreaterThan(100);
  });

  it("sign with the current one alone", async () => {
    const w = world(() => ok(), { clock: new ManualClock() });
    const second = await rotate(w);
    await w.ask("POST", "/v2/publish/https://a.test/");
    await w.engine.idle();
    const [call] = w.calls as [Call];
    expect(await accepts({ current: second.current, next: "sig_x" }, call)).toBe(true);
    expect(await accepts({ current: FIRST.current, next: second.next }, call)).toBe(false);
  });

  it("that were rotated outlive the process, until others are configured", async () => {
    const before = machine().boot(() => ok());
    const rotated = await rotate(before);
    await crash(before);
    const after = machine().boot(() => ok());
    expect(await keysOf(after)).toEqual(rotated);
    await crash(after);
    const others = { current: "sig_a", next: "sig_b" };
    const { file, clock } = machine();
    const changed = world(() => ok(), { file, clock, signingKeys: others });
    expect(await keysOf(changed)).toEqual(others);
    expect((await rotate(changed)).current).toBe("sig_b");
    await crash(changed);
  });

  it("are rotated once for each request, also when they come at once", async () => {
    const w = world();
    const pairs = await Promise.all(Array.from({ length: 10 }, () => rotate(w)));
    expect(new Set(pairs.map(({ next }) => next)).size).toBe(10);
    expect(new Set(pairs.map(({ current }) => current)).size).toBe(10);
    expect(pairs).toContainEqual(await keysOf(w));
  });

  it("are read once by all deliveries that need them anew, and not by one that they have been prepared for", async () => {
    const clock = new ManualClock();
    const store = openTestStore({ file: ":memory:", now: () => clock.now() });
    let reads = 0;
    const setting = (name: string) => {
      reads++;
      return store.setting(name);
    };
    const signer = createSigner(
      createKeys({ store: { ...store, setting }, clock, configured: FIRST }).current,
    );
    const claim = { kind: "call", messageId: "msg_1" } as const;
    const sign = () => signer.sign({ url: "https://a.test/", body: "", claim, now: clock.now() });
    for (const age of [0, 5000]) {
      clock.advance(age);
      reads = 0;
      signer.prepare();
      await Promise.all(Array.from({ length: 20 }, sign));
      await sign();
      expect(reads).toBe(1);
    }
    await store.close();
  });

  it("are random", () => {
    const keys = Array.from({ length: 1000 }, newSigningKey);
    expect(new Set(keys).size).toBe(1000);
    for (const letter of "azAZ09") expect(keys.some((key) => key.slice(4).includes(letter))).toBe(true);
    const token = newToken("somebody");
    expect(JSON.parse(Buffer.from(token, "base64").toString())).toEqual({
      UserID: "somebody",
      Password: expect.stringMatching(/^[0-9A-Za-z]{32}$/),
    });
  });
});
