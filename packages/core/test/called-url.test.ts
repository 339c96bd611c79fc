import {
  failureBody,
  failureHeaders,
  history,
  KEYS,
  runHeaders,
  sign,
  signed,
} from "@perdure/test-support/delivery";
import { Receiver as OfficialReceiver } from "@upstash/qstash";
import { describe, expect, it, vi } from "vitest";
import { type ServeOptions, serve } from "../src/index.ts";
import { isSameUrl, normalizeUrl, toHttpUrl } from "../src/util/url.ts";
import { answerOf, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
const CALLED = "http://app.internal:3000/api/wf?tenant=a";
const SEEN = "http://0.0.0.0:3000/api/wf?tenant=a";
const official = () => new OfficialReceiver({ currentSigningKey: KEYS.current, nextSigningKey: KEYS.next });

function endpoint(options: ServeOptions = {}) {
  const seen: string[] = [];
  const { handler } = serve(
    async (context) => {
      seen.push(context.url);
      await context.run("one", () => 1);
      return context.call("two", { url: "https://third.example/" });
    },
    {
      env: { PERDURE_URL: recorder().url, PERDURE_TOKEN: "token" },
      ...("receiver" in options ? {} : { keys: KEYS }),
      ...options,
      failureFunction: ({ context }) => void seen.push(context.url),
    },
  );
  return { handler, seen };
}

const one = { stepId: 1, stepName: "one", stepType: "Run", out: "1", concurrent: 1 } as const;
const bring = (subject: string, url: string, records: Parameters<typeof history>[1] = []) =>
  signed(history({}, records), runHeaders(), { subject }, url);

describe("the URL that the engine has called", () => {
  it.each<[string, () => ServeOptions]>([
    ["by keys", () => ({})],
    ["by the official receiver", () => ({ receiver: official() })],
  ])("is where the run goes on, once a token is verified %s", async (_name, options) => {
    const { handler, seen } = endpoint(options());
    expect(await answerOf(handler(await bring(CALLED, SEEN)))).toMatchObject({ status: 200 });
    expect(await answerOf(handler(await bring(CALLED, SEEN, [one])))).toMatchObject({ status: 200 });
    expect(seen).toEqual([CALLED, CALLED]);
    const [step, call] = recorder().published;
    expect(step).toMatchObject({ destination: CALLED, headers: { "upstash-workflow-url": CALLED } });
    expect(call).toMatchObject({ headers: { "upstash-callback": CALLED, "upstash-workflow-url": CALLED } });
  });

  it("is where a run starts that a published message asks for", async () => {
    const { handler } = endpoint();
    await answerOf(handler(await signed("{}", { "Upstash-Message-Id": "msg_1" }, { subject: CALLED }, SEEN)));
    expect(recorder().published[0]).toMatchObject({
      destination: CALLED,
      headers: { "upstash-failure-callback": CALLED },
    });
  });

  it.each<[string, ServeOptions, string]>([
    ["url", { url: "https://public.example/api/wf?tenant=a" }, "https://public.example/api/wf?tenant=a"],
    ["baseUrl", { baseUrl: "https://public.example" }, "https://public.example/api/wf?tenant=a"],
  ])("is less than %s, which it must equal", async (_name, options, url) => {
    const { handler, seen } = endpoint(options);
    expect(await answerOf(handler(await bring(CALLED, SEEN)))).toMatchObject({ status: 401 });
    expect(await answerOf(handler(await bring(url, SEEN)))).toMatchObject({ status: 200 });
    expect(seen).toEqual([url]);
  });

  it("is nobody's word where no token is verified", async () => {
    const signature = { "Upstash-Signature": await sign(history({}), { subject: CALLED, key: "sig_mine" }) };
    for (const options of [{ verify: "off" } as const, { authorize: () => true }]) {
      const seen: string[] = [];
      const { handler } = serve((context) => void seen.push(context.url), {
        env: { PERDURE_URL: recorder().url, PERDURE_TOKEN: "token" },
        ...options,
      });
      const headers = runHeaders(signature);
      await answerOf(handler(new Request(SEEN, { method: "POST", headers, body: history({}) })));
      expect(seen).toEqual([SEEN]);
    }
  });

  it.each([
    ["another path", "http://app.internal:3000/api/other?tenant=a"],
    ["another query", "http://app.internal:3000/api/wf?tenant=b"],
    ["another scheme", "ftp://app.internal/api/wf?tenant=a"],
    ["none", "app.internal"],
  ])("can't be one of %s", async (_name, subject) => {
    const { handler, seen } = endpoint();
    const { status } = await answerOf(handler(await bring(subject, SEEN)));
    // A scheme that isn't HTTP's has no path like this one.
    expect([status, seen]).toEqual(status === 200 ? [200, [SEEN]] : [401, []]);
    expect(recorder().published.map(({ destination }) => destination)).not.toContain(subject);
  });

  it("is compared as RFC 3986 compares it", async () => {
    const pairs = [
      ["https://app.example/%e6%97%a5?q=%e6", "https://app.example/%E6%97%A5?q=%E6"],
      ["https://app.example/%7Euser/a%2Db", "https://app.example/~user/a-b"],
      ["https://app.example:443/wf", "https://APP.example/wf"],
      ["http://app.example:80/a/../wf", "http://app.example/wf"],
      ["https://app.example/wf?a=b%20c", "https://app.example/wf?a=b+c"],
      ["https://app.example/wf#part", "https://app.example/wf"],
      ["https://app.example/日本", "https://app.example/%E6%97%A5%E6%9C%AC"],
      ["https://app.example/a|b", "https://app.example/a%7Cb"],
    ] as const;
    for (const [subject, url] of pairs) {
      for (const options of [{}, { url }, { receiver: official(), url }] as ServeOptions[]) {
        const { handler } = endpoint(options);
        expect(await answerOf(handler(await bring(subject, url))), subject).toMatchObject({ status: 200 });
      }
    }
  });

  it.each([
    ["https://app.example/a%2Fb", "https://app.example/a/b"],
    ["https://app.example/a?b", "https://app.example/a%3Fb"],
    ["https://app.example/A", "https://app.example/a"],
    ["https://app.example/a/", "https://app.example/a"],
    ["https://app.example:8443/a", "https://app.example/a"],
    ["http://app.example/a", "https://app.example/a"],
    ["https://app.example/?a=%26", "https://app.example/?a=&"],
  ])("%s isn't %s", async (subject, url) => {
    expect(isSameUrl(subject, url)).toBe(false);
    expect(await answerOf(endpoint({ url }).handler(await bring(subject, url)))).toMatchObject({
      status: 401,
    });
  });

  it("may differ in its escapes from the one that a failure names", async () => {
    const { handler } = endpoint();
    const { dlqId: _none, ...report } = JSON.parse(failureBody({ url: "https://app.example/%e6%97%a5" }));
    const body = JSON.stringify(report);
    const url = "https://app.example/%E6%97%A5";
    const delivery = await signed(body, failureHeaders(), { subject: url }, url);
    expect(await answerOf(handler(delivery))).toMatchObject({ status: 200 });
  });
});

describe("an engine whose clock is ahead", () => {
  const from = (nbf: number, exp = nbf + 300) => {
    const now = Math.floor(Date.now() / 1000);
    return signed(history({}), runHeaders(), { claims: { nbf: now + nbf, exp: now + exp } });
  };

  it.each<[number, Pick<ServeOptions, "clockTolerance">, number]>([
    [3, {}, 200],
    [25, {}, 200],
    [40, {}, 401],
    [40, { clockTolerance: "1m" }, 200],
    [3, { clockTolerance: 0 }, 401],
  ])("by %d s is tolerated with %j: %d", async (ahead, options, status) => {
    for (const receiver of [undefined, official()]) {
      const { handler } = endpoint({ ...options, ...(receiver ? { receiver } : {}) });
      expect(await answerOf(handler(await from(ahead)))).toMatchObject({ status });
    }
  });

  it("makes no token good for longer", async () => {
    const { handler } = endpoint({ clockTolerance: "1m" });
    expect(await answerOf(handler(await from(-300, -1)))).toMatchObject({ status: 401 });
  });

  it.each([-1, Number.NaN, "soon", null])("by %j is a mistake", async (clockTolerance) => {
    const told = vi.spyOn(console, "error").mockImplementation(() => {});
    const { handler } = endpoint({ clockTolerance: clockTolerance as number });
    expect(await answerOf(handler(await from(0)))).toMatchObject({ status: 500 });
    expect(told.mock.calls.flat().join(" ")).toMatch(/clockTolerance must be/);
    told.mockRestore();
  });
});

describe("a URL as it travels", () => {
  it.each([
    ["https://app.example/日本?q=日本#part", "https://app.example/%E6%97%A5%E6%9C%AC?q=%E6%97%A5%E6%9C%AC"],
    ["https://bücher.example/a b", "https://xn--bcher-kva.example/a%20b"],
    ["HTTPS://App.Example:443/a/../b", "https://app.example/b"],
    ["https://app.example", "https://app.example"],
    ["https://app.example/", "https://app.example/"],
    ["https://app.example?a=1", "https://app.example/?a=1"],
    ["app.example/a", undefined],
    ["ftp://app.example/a", undefined],
    ["https://", undefined],
    [undefined, undefined],
  ])("%j is %j", (given, url) => expect(toHttpUrl(given)).toBe(url));

  it("has a normal form, which is its own", () => {
    const url = normalizeUrl("https://a.example/%7e%e6|?b=%7e c");
    expect(url.href).toBe("https://a.example/~%E6%7C?b=~+c");
    expect(normalizeUrl(url).href).toBe(url.href);
  });
});
