import { toBun } from "@perdure/adapters/bun";
import { __name__ } from "./__name__.ts";

const server = Bun.serve({
  port: Number(process.env.PORT ?? 3000),
  routes: {
    "/": new Response("Start a run: npm run trigger\n"),
    "/__name__": toBun(__name__.handler),
  },
});
console.log(`App: ${server.url}`);
