import type { Client } from "@perdure/core";
import { orderSchema } from "./order.ts";
import { delivery } from "./orders.ts";
import { page } from "./page.ts";
import { progressOf } from "./progress.ts";

/**
 * Where customers order: `GET /` is a page, `POST /orders` starts a run of the workflow at `/order`, and
 * `GET /orders/ID` tells how far that is. Two things are left to a real shop: to ask who somebody is, and to know its own
 * address instead of taking the client's word for it.
 */
export function openDesk(client: Client): (request: Request) => Promise<Response> {
  return async (request) => {
    const url = new URL(request.url);
    const [, folder, runId] = url.pathname.split("/");
    if (request.method === "POST" && folder === "orders" && !runId) return order(client, request);
    if (request.method === "GET" && folder === "orders" && runId) return progress(client, runId);
    if (request.method === "GET" && !folder) return html(page);
    return new Response("There is nothing here.\n", { status: 404 });
  };
}

async function order(client: Client, request: Request): Promise<Response> {
  const { success, data, error } = orderSchema.safeParse(await request.json().catch(() => undefined));
  if (!success) return Response.json({ error: error.message }, { status: 400 });
  const url = new URL("/order", request.url).href;
  const { workflowRunId } = await client.trigger({ url, body: data, ...delivery });
  return Response.json({ workflowRunId }, { status: 202 });
}

async function progress(client: Client, runId: string): Promise<Response> {
  const run = await client.runs.get(runId);
  return run ? Response.json(progressOf(run)) : Response.json({ error: `no run ${runId}` }, { status: 404 });
}

function html(text: string): Response {
  return new Response(text, { headers: { "Content-Type": "text/html; charset=utf-8" } });
}
