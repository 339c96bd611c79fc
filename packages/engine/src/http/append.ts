import type { InlineAnswer, InlineAppends } from "@perdure/core/protocol";
import { z } from "zod";
import { invalid } from "../rules/engine-error.ts";
import { type AppendInline, readInlineAppend } from "../rules/inline-append.ts";
import { isRefusal } from "../rules/invocation.ts";
import { parseJson } from "./json.ts";
import { type Body, type Origin, type Output, type Routes, route } from "./route.ts";
import type { Service } from "./service.ts";

const entry = z.object({ messageId: z.string(), body: z.string(), callType: z.string() });
const news = z.union([
  z.object({ own: z.int(), retryAt: z.number().optional(), exhausted: z.literal(true).optional() }),
  z.object({ entry }),
]);
const refused = z.object({
  error: z.enum(["lease_lost", "run_over", "refused"]),
  state: z.string().optional(),
  message: z.string().optional(),
});
const answers = z.object({ appends: z.array(z.union([z.object({ news: z.array(news) }), refused])) });

const append = z
  .looseObject({
    lease: z.string(),
    invocation: z.string().min(1).max(100),
    after: z.int().min(1),
    records: z.array(z.looseObject({ kind: z.enum(["result", "ask", "begin", "attempt"]) })),
    underWay: z.array(z.looseObject({ name: z.string(), type: z.string(), nth: z.int().min(1) })),
    capabilities: z.string().optional(),
  })
  .meta({ id: "Append", description: "Records of one run; docs/protocol.md describes them." });

/**
 * Reads the body without a schema library, because every step of an inline run passes here. The answer
 * reports a faulty append in its place.
 */
const appended: Body<readonly unknown[]> = {
  type: "application/json",
  schema: z.looseObject({ appends: z.array(append) }),
  required: true,
  async read(bytes, { limits: { batchItems } }) {
    const appends = toAppends(await parseJson(bytes, "the append request"));
    if (appends.length <= batchItems) return appends;
    throw invalid("appends", `expected ${batchItems} at most, got ${appends.length}`);
  },
  check: toAppends,
};

function toAppends(value: unknown): readonly object[] {
  if (!isObject(value)) throw invalid("appends", "the append request must be a JSON object");
  const { appends } = value as Partial<InlineAppends>;
  if (!Array.isArray(appends)) throw invalid("appends", "expected a list");
  if (appends.every(isObject)) return appends;
  throw invalid("appends", "expected a list of objects");
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Route for endpoints that run inline, to append to the histories of their runs. */
export const appends = {
  "/v2/workflows/append": {
    POST: route({
      summary:
        "Append records to runs under the leases of their deliveries; one that is refused doesn't keep the others",
      body: appended,
      answers: { 200: answers },
      async handle(input, service) {
        return { appends: await appendAll(input.body, input, service) };
      },
    }),
  },
} satisfies Routes;

type Shown = Output<typeof answers>["appends"][number] & InlineAnswer;

/** Appends that one transaction stores together: a few milliseconds' work, for which every other request waits. */
const SLICE = 64;

/** Stores the appends. One that can't be read, or that the store refuses, has its refusal in its place. */
async function appendAll(
  values: readonly unknown[],
  origin: Origin,
  { store, limits }: Service,
): Promise<Shown[]> {
  const read = values.map((value) => orRefused(() => readInlineAppend(value, origin, limits)));
  const valid = read.filter((one): one is AppendInline => !("error" in one));
  const slices = Array.from({ length: Math.ceil(valid.length / SLICE) }, (_, at) =>
    appendSlice(store, valid.slice(at * SLICE, (at + 1) * SLICE)),
  );
  const answers = (await Promise.all(slices)).flat().values();
  return read.map((one) => ("error" in one ? one : (answers.next().value as Shown)));
}

async function appendSlice(
  store: Pick<Service["store"], "appendInline">,
  slice: readonly AppendInline[],
): Promise<readonly Shown[]> {
  try {
    return await store.appendInline(slice);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (slice.length === 1) return [{ error: "refused", message: error.message }];
  }
  // The store has refused one of them, and so stored none.
  return (await Promise.all(slice.map((one) => appendSlice(store, [one])))).flat();
}

type Refused = Extract<InlineAnswer, { error: "refused" }>;

function orRefused<Value>(read: () => Value): Value | Refused {
  try {
    return read();
  } catch (error) {
    if (isRefusal(error)) return { error: "refused", message: error.message };
    throw error;
  }
}
