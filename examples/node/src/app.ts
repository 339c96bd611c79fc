import { serve as listen } from "@hono/node-server";
import { serve } from "@perdure/adapters/hono";
import { Hono } from "hono";
import { fulfil, orderSchema, undo } from "./order.ts";

// Signing keys and the engine's address come from the environment: QSTASH_URL, QSTASH_TOKEN,
// QSTASH_CURRENT_SIGNING_KEY and QSTASH_NEXT_SIGNING_KEY, as `perdure dev` prints them.
const app = new Hono();
app.post("/order", serve(fulfil, { schema: orderSchema, failureFunction: undo }));
app.get("/", (context) => context.text("POST /order is the workflow's endpoint.\n"));

const server = listen(
  { fetch: app.fetch, hostname: "127.0.0.1", port: Number(process.env.PORT ?? 3000) },
  ({ port }) => {
    console.log(`app running at http://127.0.0.1:${port}`);
  },
);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => server.close(() => process.exit(0)));
}
