import { once } from "node:events";
import { createServer } from "node:http";
import { toNode } from "@perdure/adapters/node";

/** The handler of a workflow: from `serve`, from an adapter's `serve` of fetch handlers, or in an object. */
interface Served {
  readonly handler: (request: Request) => Promise<Response>;
}

/**
 * Serves the workflows of an example, each under its name, on this machine. Examples of the documentation run with it, so that
 * they don't show a server.
 *
 * @param workflows called for each request, since the example defines its workflows later
 */
export async function listen(port: number, workflows: () => Readonly<Record<string, Served>>): Promise<void> {
  const server = createServer(
    toNode(async (request) => {
      const [, name = ""] = new URL(request.url).pathname.split("/");
      const served = workflows()[name];
      return served ? served.handler(request) : new Response("no such workflow", { status: 404 });
    }),
  );
  server.listen(port);
  await once(server, "listening");
}
