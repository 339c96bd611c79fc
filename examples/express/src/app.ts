import { serve, toExpress } from "@perdure/adapters/express";
import { Client } from "@perdure/core";
import { openDesk } from "@perdure/example-shared/desk";
import { fulfil, orderSchema, undo } from "@perdure/example-shared/order";
import { openShop } from "@perdure/example-shared/shop";
import express from "express";

const shop = openShop({ write: (undone) => console.log(`undone: ${JSON.stringify(undone)}`) });
const app = express();

// Before any body parser: a delivery's signature is over its raw bytes.
app.post("/order", serve(fulfil(shop), { schema: orderSchema, failureFunction: undo(shop) }));
app.use(toExpress(openDesk(new Client())));

const server = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object") console.log(`app running at http://127.0.0.1:${address?.port}`);
});
