import { HEADER } from "@perdure/core/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cursor, list, text, toCursor, urls, whole } from "../../src/http/parameters.ts";
import { type Answer, ok, START, type World, world } from "../harness.ts";

const SEED = { seed: 20_300_101 };
const later = { [HEADER.delay]: "1d" };

const value = fc.string({ minLength: 1, maxLength: 12 }).filter((text) => text.trim() !== "");
const bare = value.map((text) => text.replaceAll(",", ".").trim());

describe("a filter's values", () => {
  it("are the same whether the parameter is repeated or lists them", () => {
    fc.assert(
      fc.property(fc.array(bare, { minLength: 1, maxLength: 5 }), fc.nat(5), (values, at) => {
        const half = [values.slice(0, at).join(","), values.slice(at).join(",")].filter(
          (part) => part !== "",
        );
        for (const given of [values, [values.join(",")], half, [values.join(" , ")]]) {
          expect(list.read(given, "a")).toEqual(values);
        }
      }),
      SEED,
    );
  });

  it("are never taken apart where a comma belongs to them", () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 5 }), (values) => {
        expect(urls.read(values, "a")).toEqual(values);
      }),
      SEED,
    );
  });

  it("that are empty are refused: they would match everything", () => {
    for (const values of [[""], [","], ["x,,y"], ["x", ""], [" "]]) {
      expect(() => list.read(values, "a")).toThrow("parameter a: it is empty");
    }
  });

  it("are whole numbers where numbers are meant", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.nat(1e15 - 1).map(String)), (value) => {
        if (/^\d{1,15}$/.test(value)) expect(whole.read([value], "a")).toBe(Number(value));
        else if (value === "") expect(whole.read([value], "a")).toBeUndefined();
        else expect(() => whole.read([value], "a")).toThrow("parameter a");
      }),
      SEED,
    );
  });

  it("are one where one is meant", () => {
    for (const parameter of [whole, text]) {
      expect(() => parameter.read(["1", "2"], "a")).toThrow("parameter a: it is given more than once");
    }
  });
});

it("a cursor comes back as the place that it was made of; nothing else is one", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e15 - 1 }), (place) => {
      expect(cursor.read([toCursor(place).cursor ?? ""], "cursor")).toBe(place);
    }),
    SEED,
  );
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (value) => {
      try {
        expect(toCursor(cursor.read([value], "cursor")).cursor).toBe(value);
      } catch (error) {
        expect(error).toMatchObject({
          code: "invalid_request",
          message: expect.stringContaining("parameter cursor"),
        });
      }
    }),
    SEED,
  );
});

interface Sample {
  readonly url: string;
  readonly labels: string[];
  readonly flow: string | undefined;
  readonly at: number;
  readonly canceled: boolean;
}

const LABELS = ["a", "b", "ab"];
const URLS = ["https://a.test/x", "https://a.test/x,y", "https://b.test/x?q=1"];
const sample: fc.Arbitrary<Sample> = fc.record({
  url: fc.constantFrom(...URLS),
  labels: fc.subarray(LABELS),
  flow: fc.option(fc.constantFrom("k1", "k2"), { nil: undefined }),
  at: fc.nat(3),
  canceled: fc.boolean(),
});
const some = <T>(values: T[]) => fc.option(fc.subarray(values, { minLength: 1 }), { nil: undefined });
const filters = fc.record({
  url: some(URLS),
  host: some(["a.test", "b.test"]),
  path: some(["/x", "/x,y"]),
  label: some(LABELS),
  flowControlKey: some(["k1", "k2"]),
  state: some(["CREATED", "CANCELLED"]),
  fromDate: fc.option(fc.nat(3), { nil: undefined }),
  toDate: fc.option(fc.nat(3), { nil: undefined }),
});
type Filters = typeof filters extends fc.Arbitrary<infer T> ? T : never;

/** What the list should have, by what filters mean: any value within one, all of those that are given. */
function matches(of: Sample, state: string, given: Filters): boolean {
  const { host, pathname } = new URL(of.url);
  const any = (asked: string[] | undefined, has: (string | undefined)[]) =>
    asked === undefined || asked.some((one) => has.includes(one));
  return (
    any(given.url, [of.url]) &&
    any(given.host, [host]) &&
    any(given.path, [pathname]) &&
    any(given.label, of.labels) &&
    any(given.flowControlKey, [of.flow]) &&
    any(given.state, [state]) &&
    of.at >= (given.fromDate ?? 0) &&
    of.at <= (given.toDate ?? Infinity)
  );
}

function toQuery({ fromDate, toDate, ...lists }: Filters): string {
  const query = new URLSearchParams();
  for (const [name, values] of Object.entries(lists)) {
    for (const one of values ?? []) query.append(name, one);
  }
  if (fromDate !== undefined) query.set("fromDate", String(START + fromDate * 1000));
  if (toDate !== undefined) query.set("toDate", String(START + toDate * 1000));
  return query.toString();
}

async function publish(w: World, { url, labels, flow }: Pick<Sample, "url" | "labels" | "flow">) {
  const headers = {
    ...later,
    ...(labels.length > 0 ? { [HEADER.label]: labels.join(",") } : {}),
    ...(flow === undefined
      ? {}
      : { [HEADER.flowControlKey]: flow, [HEADER.flowControlValue]: "parallelism=1" }),
  };
  return (await w.ask("POST", `/v2/publish/${url}`, { headers })).body.messageId as string;
}

it("a list has what its filters say, whatever they are", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(sample, { maxLength: 12 }),
      fc.array(filters, { minLength: 3, maxLength: 6 }),
      async (samples, asked) => {
        const w = world(() => ok());
        const expected: { id: string; state: string; of: Sample }[] = [];
        for (const of of [...samples].sort((a, b) => a.at - b.at)) {
          w.clock.advance(START + of.at * 1000 - w.clock.now());
          const id = await publish(w, of);
          expected.push({ id, state: "CREATED", of });
          if (!of.canceled) continue;
          await w.ask("DELETE", `/v2/messages/${id}`);
          expected.push({ id, state: "CANCEL_REQUESTED", of }, { id, state: "CANCELLED", of });
        }
        for (const given of asked) {
          const { logs } = (await w.ask("GET", `/v2/logs?order=earliestFirst&${toQuery(given)}`)).body;
          expect(logs.map((log: Answer["body"]) => [log.messageId, log.state])).toEqual(
            expected.filter(({ of, state }) => matches(of, state, given)).map(({ id, state }) => [id, state]),
          );
        }
        await w.store.close();
      },
    ),
    { ...SEED, numRuns: 25 },
  );
});

it("pages of a list that grows meanwhile leave nothing out, and tell nothing twice", async () => {
  const written = fc.array(fc.nat(3), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(
      fc.nat(12),
      fc.integer({ min: 1, max: 5 }),
      written,
      async (before, count, meanwhile) => {
        for (const order of ["latestFirst", "earliestFirst"]) {
          const w = world(() => ok());
          const write = async (times: number) => {
            for (let at = 0; at < times; at++) {
              await publish(w, { url: "https://a.test/", labels: [], flow: undefined });
            }
          };
          await write(before);
          const known = (await w.ask("GET", `/v2/logs?order=${order}`)).body.logs;
          const seen: Answer["body"][] = [];
          let cursor: string | undefined = "";
          for (let turn = 0; cursor !== undefined; turn++) {
            const { body } = await w.ask("GET", `/v2/logs?order=${order}&count=${count}&cursor=${cursor}`);
            seen.push(...body.logs);
            cursor = body.cursor;
            if (cursor !== undefined) await write(meanwhile[turn] ?? 0);
          }
          const ids = seen.map(({ messageId }) => messageId);
          expect(new Set(ids).size).toBe(ids.length);
          // Going forward, what came meanwhile is met too.
          expect(order === "latestFirst" ? seen : seen.slice(0, before)).toEqual(known);
          await w.store.close();
        }
      },
    ),
    { ...SEED, numRuns: 15 },
  );
});
