import { H3, toNodeHandler } from "h3";
import { createApp, createRouter, toNodeListener, useBase } from "h3v1";
import { serve, serveMany, toH3 } from "../src/h3.ts";
import { listen } from "./support/http.ts";
import { describeAdapter } from "./support/suite.ts";

describeAdapter("h3 2", ({ probe, order, invoice, workflows }) => {
  const app = new H3()
    .mount("/under/a", new H3().all("/prefix/probe", toH3(probe).handler))
    .all("/order", serve(...order).handler)
    .all("/invoice", serve(...invoice).handler)
    .all("/many/**", serveMany(workflows).handler);
  return listen(toNodeHandler(app));
});

describeAdapter("h3 1", ({ probe, order, invoice, workflows }) => {
  const inner = createRouter().use("/prefix/probe", toH3(probe).handler);
  const router = createRouter()
    .use("/under/a/**", useBase("/under/a", inner.handler))
    .use("/order", serve(...order).handler)
    .use("/invoice", serve(...invoice).handler)
    .use("/many/**", serveMany(workflows).handler);
  return listen(toNodeListener(createApp().use(router)));
});
