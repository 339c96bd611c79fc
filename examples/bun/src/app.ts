import { serve } from "@perdure/adapters/bun";
import { Client } from "@perdure/core";
import { openDesk } from "@perdure/example-shared/desk";
import { fulfil, orderSchema, undo } from "@perdure/example-shared/order";
import { openShop } from "@perdure/example-shared/shop";

const shop = openShop({ write: (undone) => console.log(`undone: ${JSON.stringify(undone)}`) });

// `bun app.ts` serves the default export.
export default {
  hostname: "127.0.0.1",
  port: process.env.PORT ?? 3000,
  routes: {
    "/order": { POST: serve(fulfil(shop), { schema: orderSchema, failureFunction: undo(shop) }) },
  },
  fetch: openDesk(new Client()),
};
