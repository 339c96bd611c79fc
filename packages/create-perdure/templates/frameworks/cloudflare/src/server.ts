import { toCloudflare } from "@perdure/adapters/cloudflare";
import { __name__ } from "./__name__.ts";

const workflow = toCloudflare(__name__.handler);

export default {
  fetch(request: Request, env: unknown): Response | Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/__name__") return workflow.fetch(request, env);
    return new Response("Start a run: npm run trigger\n");
  },
};
