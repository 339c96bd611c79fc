import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkDestination, rawDestination } from "../../src/rules/destination.ts";
import { EngineError } from "../../src/rules/engine-error.ts";
import { type Options, readOptions } from "../../src/rules/options.ts";

const read = (headers: Record<string, string>): Options =>
  readOptions(new Map(Object.entries(headers)), { retries: 999 });

function errorOf(act: () => unknown): EngineError {
  try {
    act();
  } catch (error) {
    if (error instanceof EngineError) return error;
    throw error;
  }
  throw new TypeError("It was accepted.");
}

describe("options", () => {
  it("are nothing when nothing is said", () => {
    expect(read({ "content-length": "3", "x-other": "y", "upstash-telemetry-sdk": "z" })).toMatchObject({
      forward: [],
      labels: [],
      retries: undefined,
      failure: undefined,
      failureUrl: undefined,
    });
  });

  it("are read from headers", () => {
    const options = read({
      "content-type": "text/plain",
      "upstash-method": "put",
      "upstash-forward-x-a": "1",
      "upstash-forward-authorization": "Bearer z",
      "upstash-retries": "0",
      "upstash-retry-delay": "1000 * retried",
      "upstash-timeout": "1d1h30m",
      "upstash-delay": "90",
      "upstash-not-before": "1893456000",
      "upstash-label": "a, b.c",
      "upstash-redact-fields": "body,header[X-A],headers[b]",
    });
    expect(options).toEqual({
      contentType: "text/plain",
      method: "PUT",
      forward: [
        ["x-a", "1"],
        ["authorization", "Bearer z"],
      ],
      retries: 0,
      retryDelay: "1000 * retried",
      timeout: 91_800_000,
      delay: 90_000,
      notBefore: 1_893_456_000_000,
      labels: ["a", "b.c"],
      redact: { body: true, headers: ["x-a", "b"] },
      failureUrl: undefined,
      failure: undefined,
    });
  });

  it("of the failure callback are the same under another prefix", () => {
    const options = read({
      "upstash-failure-callback": "https://a.test/f",
      "upstash-failure-callback-retries": "7",
      "upstash-failure-callback-forward-x-a": "1",
      "upstash-failure-callback-workflow-calltype": "failureCall",
    });
    expect(options.failureUrl).toBe("https://a.test/f");
    expect(options.failure).toMatchObject({ retries: 7, forward: [["x-a", "1"]] });
    expect(options.forward).toEqual([]);
  });

  it.each([
    ["upstash-method", "TRACE", "invalid_request", "Upstash-Method"],
    ["upstash-retries", "-1", "invalid_request", "Upstash-Retries"],
    ["upstash-retries", "1.5", "invalid_request", "Upstash-Retries"],
    ["upstash-retries", "many", "invalid_request", "Upstash-Retries"],
    ["upstash-retries", "1000", "limit_reached", "Upstash-Retries"],
    ["upstash-retry-delay", "1000 *", "invalid_request", "Upstash-Retry-Delay"],
    ["upstash-timeout", "soon", "invalid_request", "Upstash-Timeout"],
    ["upstash-timeout", "0", "invalid_request", "Upstash-Timeout"],
    ["upstash-delay", "NaNs", "invalid_request", "Upstash-Delay"],
    ["upstash-delay", "-5s", "invalid_request", "Upstash-Delay"],
    ["upstash-not-before", "tomorrow", "invalid_request", "Upstash-Not-Before"],
    ["upstash-not-before", "NaN", "invalid_request", "Upstash-Not-Before"],
    ["upstash-not-before", "9".repeat(30), "invalid_request", "Upstash-Not-Before"],
    ["upstash-label", "a b", "invalid_request", "Upstash-Label"],
    ["upstash-label", "a,,b", "invalid_request", "Upstash-Label"],
    ["upstash-redact-fields", "everything", "invalid_request", "Upstash-Redact-Fields"],
    ["upstash-forward-x", "line\nbreak", "invalid_request", "Upstash-Forward-x"],
    ["upstash-forward-x", "žluť", "invalid_request", "Upstash-Forward-x"],
    ["upstash-forward-a b", "c", "invalid_request", "Upstash-Forward-a b"],
    ["upstash-failure-callback", "app.test/f", "invalid_request", "Upstash-Failure-Callback"],
    ["upstash-failure-callback-retries", "x", "invalid_request", "Upstash-Failure-Callback-Retries"],
    ["upstash-failure-callback-retries", "1000", "limit_reached", "Upstash-Failure-Callback-Retries"],
    ["upstash-failure-callback-retry-delay", "(", "invalid_request", "Upstash-Failure-Callback-Retry-Delay"],
    ["upstash-failure-callback-callback", "a.test", "invalid_request", "Upstash-Failure-Callback-Callback"],
    ["upstash-callback", "ftp://a.test", "invalid_request", "Upstash-Callback"],
    ["upstash-callback-deduplication-id", "d", "unsupported", "Upstash-Callback-Deduplication-Id"],
    [`upstash-${"callback-".repeat(9)}retries`, "1", "invalid_request", "8 levels deep"],
    [`upstash-${"callback-".repeat(100_000)}retries`, "1", "invalid_request", "8 levels deep"],
    ["upstash-cron", "* * * * *", "invalid_request", "Upstash-Cron"],
    ["upstash-schedule-id", "s", "invalid_request", "Upstash-Schedule-Id"],
    ["upstash-queue-name", "q/1", "invalid_request", "Upstash-Queue-Name"],
    ["upstash-queue-name", "q".repeat(257), "invalid_request", "Upstash-Queue-Name"],
    ["upstash-failure-callback-queue-name", "q", "unsupported", "Upstash-Failure-Callback-Queue-Name"],
    ["upstash-deduplication-id", "", "invalid_request", "Upstash-Deduplication-Id"],
    ["upstash-deduplication-id", "d".repeat(1025), "invalid_request", "Upstash-Deduplication-Id"],
    [
      "upstash-content-based-deduplication",
      "maybe",
      "invalid_request",
      "Upstash-Content-Based-Deduplication",
    ],
    ["upstash-header-forward", "1", "invalid_request", "Upstash-Header-Forward"],
    ["upstash-flow-control-key", "k", "invalid_request", "Upstash-Flow-Control-Key"],
    ["upstash-flow-control-value", "rate=1", "invalid_request", "Upstash-Flow-Control-Value"],
  ])("%s: %s is refused as %s", (name, value, code, named) => {
    const error = errorOf(() => read({ [name]: value }));
    expect(error.code).toBe(code);
    expect(error.message).toContain(named);
  });

  it("that are said not to be wanted are not refused", () => {
    expect(() =>
      read({ "upstash-content-based-deduplication": "false", "upstash-workflow-invoke": "False" }),
    ).not.toThrow();
  });

  it("says where an expression goes wrong", () => {
    expect(errorOf(() => read({ "upstash-retry-delay": "1 + foo" })).message).toBe(
      'invalid Upstash-Retry-Delay: unknown name "foo" at position 4 in "1 + foo"',
    );
  });
});

describe("a destination", () => {
  const PREFIX = "/v2/publish/";
  const raw = (rest: string): string => rawDestination(`http://engine.test${PREFIX}${rest}`, PREFIX);

  it.each([
    ["https://a.test//x//y/", "https://a.test//x//y/"],
    ["https://a.test/%2F%20?q=%7B&q=2", "https://a.test/%2F%20?q=%7B&q=2"],
    ["https://a.test/?upstash-retries=3&q=1&qstash_token=t", "https://a.test/?q=1"],
    ["https://a.test/?UPSTASH-Delay=3s", "https://a.test/"],
    ["https://a.test/?q=%zz&qstash%5Ftoken=t&%75pstash%2Dretries=3", "https://a.test/?q=%zz"],
    ["https://a.test/?", "https://a.test/?"],
    ["https://a.test/v2/publish/b", "https://a.test/v2/publish/b"],
  ])("%s is taken as %s", (sent, taken) => expect(raw(sent)).toBe(taken));

  it("comes through byte for byte", () => {
    const path = fc.array(fc.constantFrom("a", "/", "%2f", ";", "=", ":", "~", "@", "?", "&", "b=1"));
    fc.assert(
      fc.property(path, (parts) => {
        const destination = `https://a.test/${parts.join("")}`;
        expect(raw(destination)).toBe(destination);
      }),
    );
  });

  it("gets back the slash that proxies remove", () => {
    expect(checkDestination("https:/a.test/x")).toBe("https://a.test/x");
    expect(checkDestination("http://localhost:3000/x")).toBe("http://localhost:3000/x");
  });

  it.each(["a.test/x", "ftp://a.test", "", "my-group", "//a.test"])("%j has no scheme", (destination) => {
    expect(errorOf(() => checkDestination(destination)).message).toBe(
      "invalid destination url: endpoint has invalid scheme, add http:// or https://",
    );
  });

  it.each(["https://", "http://:80", "http://a b/", "https://a.test:99999"])(
    "%j is no URL",
    (destination) => {
      expect(errorOf(() => checkDestination(destination)).message).toContain("invalid destination url");
    },
  );

  it("carries no credentials", () => {
    expect(errorOf(() => checkDestination("https://u:p@a.test/")).code).toBe("invalid_request");
  });
});
