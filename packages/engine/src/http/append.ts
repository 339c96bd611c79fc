import type { InlineAnswer, InlineAppends } from "@perdure/core/protocol";
import { z } from "zod";
import { invalid } from "../rules/engine-error.ts";
import { readInlineAppend } from "../rules/inline-append.ts";
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
    after: z.int().min(1),
    records: z.array(z.looseObject({ kind: z.enum(["result", "ask", "begin", "attempt"]) })),
    underWay: z.array(z.looseObject({ name: z.string(), type: z.string(), nth: z.int().min(1) })),
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
    const value = await parseJson(bytes, "the appends");
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw invalid("appends", "the appends must be a JSON object");
    const { appends } = value as Partial<InlineAppends>;
    if (!Array.isArray(appends)) throw invalid("appends", "expected a list");
    if (appends.length > batchItems)
      throw invalid("appends", `expected ${batchItems} at most, got ${appends.length}`);
    if (appends.every(isObject)) return appends;
    throw invalid("appends", "expected a list of objects");
  },
};

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Route for endpoints that run inline, to append to the histories of their runs. */
export const appends: Routes = {
  "/v2/workflows/append": {
    POST: route({
      summary:
        "Append records to runs under the leases of their deliveries; one that is refused doesn't keep the others",
      body: appended,
      answers: { 200: answers },
      async handle(input, service) {
        return { appends: await Promise.all(input.body.map((one) => appendOne(one, input, service))) };
      },
    }),
  },
};

type Shown = Output<typeof answers>["appends"][number] & InlineAnswer;

/** Appends that arrive together share a transaction of the store. */
async function appendOne(value: unknown, origin: Origin, { store, limits }: Service): Promise<Shown> {
  try {
    return await store.appendInline(readInlineAppend(value, origin, limits));
  } catch (error) {
    if (isRefusal(error)) return { error: "refused", message: error.message };
    throw error;
  }
}
