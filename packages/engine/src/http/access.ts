import { readFileSync } from "node:fs";
import { z } from "zod";
import { type Routes, route } from "./route.ts";

/** The version of this package. */
let version: string | undefined;

function ownVersion(): string {
  version ??= (
    JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
      readonly version: string;
    }
  ).version;
  return version;
}

/** Route for clients that show only what their token allows. */
export const accessInfo = {
  "/v2/workflows/access": {
    GET: route({
      summary: "Get what the token of the request allows",
      answers: {
        200: z
          .object({
            access: z.enum(["full", "read only"]),
            payloads: z
              .boolean()
              .meta({ description: "False when payloads, results and headers are hidden." }),
            version: z.string().meta({ description: "The engine's version." }),
            search: z.boolean().meta({ description: "Whether lists of runs can search in their texts." }),
          })
          .meta({ id: "Access" }),
      },
      async handle({ sender: { access } }, { hidePayloads, search }) {
        const payloads = access === "full" || !hidePayloads;
        return { access, payloads, version: ownVersion(), search: payloads && (await search.isAvailable()) };
      },
    }),
  },
} satisfies Routes;
