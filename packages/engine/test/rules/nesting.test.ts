import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Options, readOptions } from "../../src/rules/options.ts";

/** What a publisher may say of a message, and of the reports of it. */
interface Said {
  readonly retries?: number | undefined;
  readonly forward: Readonly<Record<string, string>>;
  readonly callback?: { readonly url: string; readonly said: Said } | undefined;
  readonly failure?: { readonly url: string; readonly said: Said } | undefined;
}

const said = (depth: number): fc.Arbitrary<Said> => {
  const report = depth === 0 ? fc.constant(undefined) : nested(depth - 1);
  return fc.record({
    retries: fc.option(fc.nat(99), { nil: undefined }),
    forward: fc.dictionary(
      // Names that look like the prefixes themselves.
      fc.constantFrom("x", "callback-y", "upstash-callback", "forward-z", "failure-callback-retries"),
      fc.constantFrom("1", "Bearer a, b", "é"),
      { noNullPrototype: true },
    ),
    callback: report,
    failure: report,
  });
};

function nested(depth: number): fc.Arbitrary<Said["callback"]> {
  const url = fc.constantFrom("https://a.test/r", "http://b.test//r?q=1");
  return fc.option(fc.record({ url, said: said(depth) }), { nil: undefined });
}

function write(what: Said, prefix = "upstash-"): [string, string][] {
  const { retries, forward, callback, failure } = what;
  return [
    ...(retries === undefined ? [] : [[`${prefix}retries`, String(retries)] as [string, string]]),
    ...Object.entries(forward).map(([name, value]): [string, string] => [`${prefix}forward-${name}`, value]),
    ...(callback
      ? [
          [`${prefix}callback`, callback.url] as [string, string],
          ...write(callback.said, `${prefix}callback-`),
        ]
      : []),
    ...(failure
      ? [
          [`${prefix}failure-callback`, failure.url] as [string, string],
          ...write(failure.said, `${prefix}failure-callback-`),
        ]
      : []),
  ];
}

function heard(options: Options): Said {
  const { retries, forward, callbackUrl, callback, failureUrl, failure } = options;
  const report = (url: string | undefined, own: Options | undefined): Said["callback"] =>
    url === undefined ? undefined : { url, said: own ? heard(own) : { forward: {} } };
  return {
    retries,
    forward: Object.fromEntries(forward),
    callback: report(callbackUrl, callback),
    failure: report(failureUrl, failure),
  };
}

describe("the options of reports, and of the reports of these", () => {
  it("are read as they were written", () => {
    fc.assert(
      fc.property(said(3), (what) => {
        const headers = new Map(write(what));
        expect(heard(readOptions(headers, { retries: 99 }))).toEqual(what);
      }),
      { seed: 5 },
    );
  });

  it("may be eight deep", () => {
    const prefix = `upstash-${"callback-".repeat(8)}`;
    const headers = new Map<string, string>([[`${prefix}retries`, "1"]]);
    for (let at = 0; at < 8; at++) {
      headers.set(`upstash-${"callback-".repeat(at)}callback`, "https://a.test/r");
    }
    let options: Options | undefined = readOptions(headers, { retries: 99 });
    for (let at = 0; at < 8; at++) options = options?.callback;
    expect(options?.retries).toBe(1);
  });
});

describe("all headers of a request", () => {
  const names = fc.constantFrom(
    "x-a",
    "cookie",
    "user-agent",
    "host",
    "authorization",
    "te",
    "upstash-label",
  );

  it("are forwarded but for those of the connection and the engine's own, below those that were named", () => {
    fc.assert(
      fc.property(fc.dictionary(names, fc.constantFrom("a", "b")), fc.boolean(), (sent, named) => {
        const headers = new Map(Object.entries({ ...sent, "upstash-header-forward": "True" }));
        if (named) headers.set("upstash-forward-x-a", "named");
        const wanted = Object.fromEntries(
          Object.entries(sent).filter(([name]) => ["x-a", "cookie", "user-agent"].includes(name)),
        );
        const { forward } = readOptions(headers, { retries: 99 });
        expect(Object.fromEntries(forward)).toEqual(named ? { ...wanted, "x-a": "named" } : wanted);
      }),
      { seed: 5 },
    );
  });

  it("are not those that the connection's own header names", () => {
    const headers = new Map([
      ["upstash-header-forward", "true"],
      ["connection", "close, X-Hop"],
      ["x-hop", "1"],
      ["x-end", "2"],
    ]);
    expect(readOptions(headers, { retries: 99 }).forward).toEqual([["x-end", "2"]]);
  });
});
