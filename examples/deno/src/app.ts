import { serve } from "@perdure/adapters/deno";
import { Client } from "@perdure/core";
import { openDesk } from "@perdure/example-shared/desk";
import { fulfil, orderSchema, undo } from "@perdure/example-shared/order";
import { openShop } from "@perdure/example-shared/shop";

const shop = openShop({ write: (undone) => console.log(`undone: ${JSON.stringify(undone)}`) });
const order = serve(fulfil(shop), { schema: orderSchema, failureFunction: undo(shop) });
const desk = openDesk(new Client());

Deno.serve({ hostname: "127.0.0.1", port: Number(Deno.env.get("PORT") ?? 3000) }, (request) =>
  new URL(request.url).pathname === "/order" ? order(request) : desk(request),
);
