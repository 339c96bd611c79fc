import { env } from "cloudflare:workers";
import { serve } from "@perdure/adapters/hono";
import { Client } from "@perdure/core";
import { openDesk } from "@perdure/example-shared/desk";
import { fulfil, orderSchema, undo } from "@perdure/example-shared/order";
import { openShop } from "@perdure/example-shared/shop";
import { Hono } from "hono";

// The engine's address, token and signing keys are bindings, as everything is that a worker is given. `serve` finds them.
const shop = openShop({ write: (undone) => env.UNDONE.put(undone.order, JSON.stringify(undone)) });
const desk = openDesk(new Client({ baseUrl: env.PERDURE_URL, token: env.PERDURE_TOKEN }));

const app = new Hono();
app.post("/order", serve(fulfil(shop), { schema: orderSchema, failureFunction: undo(shop) }));
app.get("/undone/:order", async (context) => {
  const undone = await env.UNDONE.get(context.req.param("order"));
  return undone ? context.body(undone, 200, { "Content-Type": "application/json" }) : context.notFound();
});
app.all("*", ({ req }) => desk(req.raw));

export default app;
