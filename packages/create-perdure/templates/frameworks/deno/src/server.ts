import { toDeno } from "@perdure/adapters/deno";
import { __name__ } from "./__name__.ts";

const workflow = toDeno(__name__.handler);

Deno.serve({ port: Number(Deno.env.get("PORT") ?? 3000) }, (request) => {
  if (new URL(request.url).pathname === "/__name__") return workflow(request);
  return new Response("Start a run: npm run trigger\n");
});
