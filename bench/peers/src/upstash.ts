// The official runtime, @upstash/workflow, on Perdure's engine.
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@upstash/workflow";
import { contend } from "./contender.ts";
import { startEngine } from "./perdure-engine.ts";

const engine = await startEngine();
const { handler } = serve<number>(
  async (context) => {
    for (let step = 0; step < context.requestPayload; step++) await context.run(`step ${step}`, () => step);
    return context.requestPayload;
  },
  { env: engine.env },
);
const server = createServer(async (incoming, outgoing) => {
  const response = await handler(await toRequest(incoming));
  outgoing.writeHead(response.status, Object.fromEntries(response.headers)).end(await response.text());
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const { port } = server.address() as AddressInfo;

async function toRequest(incoming: IncomingMessage): Promise<Request> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const headers = new Headers(incoming.headers as Record<string, string>);
  return new Request(`http://127.0.0.1:${port}${incoming.url}`, {
    method: "POST",
    headers,
    body: Buffer.concat(chunks),
  });
}

await contend(
  (runs, steps) => engine.runAll(`http://127.0.0.1:${port}/workflow`, runs, steps),
  async () => {
    server.closeAllConnections();
    server.close();
    await engine.stop();
  },
);
