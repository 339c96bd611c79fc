import { serve } from "@hono/node-server";
import { toHono } from "@perdure/adapters/hono";
import { Hono } from "hono";
import { __name__ } from "./__name__.ts";

const app = new Hono();
app.get("/", (c) => c.text("Start a run: npm run trigger\n"));
app.post("/__name__", toHono(__name__.handler));

serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) }, ({ port }) =>
  console.log(`App: http://localhost:${port}`),
);
