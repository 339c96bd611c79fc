import { serve as listen } from "@hono/node-server";
import { serve } from "@perdure/adapters/hono";
import { Client } from "@perdure/core";
import { openDesk } from "@perdure/example-shared/desk";
import { fulfil, orderSchema, undo } from "@perdure/example-shared/order";
import { openShop } from "@perdure/example-shared/shop";
import { Hono } from "hono";

// Signing keys and the engine's address come from the environment: PERDURE_URL, PERDURE_TOKEN,
// PERDURE_CURRENT_SIGNING_KEY and PERDURE_NEXT_SIGNING_KEY, as `perdure dev` prints them.
const records = { write: (undone: object) => console.log(`undone: ${JSON.stringify(undone)}`) };
const shop = openShop(records, process.env.BANK === "trusting");
const desk = openDesk(new Client());

const app = new Hono();
app.post("/order", serve(fulfil(shop), { schema: orderSchema, failureFunction: undo(shop) }));
app.all("*", ({ req }) => desk(req.raw));

const server = listen(
  { fetch: app.fetch, hostname: "127.0.0.1", port: Number(process.env.PORT ?? 3000) },
  ({ port }) => {
    console.log(`app running at http://127.0.0.1:${port}`);
  },
);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => server.close(() => process.exit(0)));
}
