import { isPublicSecret } from "@perdure/core/protocol";
import { z } from "zod";
import { EngineError } from "../rules/engine-error.ts";
import { tokenOf } from "./auth.ts";
import { type Routes, route } from "./route.ts";

const keys = z.object({ current: z.string(), next: z.string() }).meta({ id: "Keys" });

/** The keys that receivers check signatures with. Development clients also identify the engine by them. */
export const signingKeys = {
  "/v2/keys": {
    GET: route({
      summary: "Get the keys that deliveries are signed with",
      answers: { 200: keys },
      handle: (_, service) => service.keys.latest(),
    }),
  },
  "/v2/keys/rotate": {
    POST: route({
      // Receivers need the new pair before the next rotation.
      summary: "Put the next key in the current one's place, and a new one in its own",
      answers: { 200: keys },
      async admit({ request }) {
        // The development token is public, and a rotation changes the keys for every client of this engine.
        if (isPublicSecret(tokenOf(request) ?? ""))
          throw new EngineError(
            "forbidden",
            "forbidden: keys can't be rotated with the public token of development",
          );
      },
      handle: (_, { keys }) => keys.rotate(),
    }),
  },
} satisfies Routes;
