// An application on @upstash/workflow: every option of serve, and what each framework's entry takes.
import {
  type CallSettings,
  type Duration,
  type InvokableWorkflow,
  loggingMiddleware,
  type RouteFunction,
  serve,
  type WaitStepResponse,
  type WorkflowContext,
  WorkflowMiddleware,
  WorkflowNonRetryableError,
  type WorkflowReceiver,
  WorkflowRetryAfterError,
  type WorkflowServeOptions,
} from "@upstash/workflow";
import { serve as serveWorker } from "@upstash/workflow/cloudflare";
import { serve as serveHono } from "@upstash/workflow/hono";
import { createWorkflow, serveMany, serve as serveNext } from "@upstash/workflow/nextjs";
import { Hono } from "hono";
import { z } from "zod";

interface Order {
  id: string;
  items: { sku: string; pieces: number }[];
}
interface Bindings {
  QSTASH_TOKEN: string;
  BUCKET: string;
}

const app = new Hono<{ Bindings: Bindings }>();
app.post(
  "/order",
  serveHono<Order, Bindings>(async (context) => {
    await context.run("reserve", () => context.requestPayload.items.length);
  }),
);
app.post(
  "/ping",
  serveHono(async (context) => context.sleep("rest", 1)),
);
export const worker = serveWorker<Order>(async (context) => context.sleep("rest", "1d"));
export const { POST } = serveNext<Order, number>(async (context) => context.run("one", () => 1));

const diary = new WorkflowMiddleware<Order, string>({
  name: "diary",
  callbacks: {
    runStarted: async ({ context }) => console.log(context.requestPayload.id),
    beforeExecution: ({ context, stepName }) => console.log(context.workflowRunId, stepName),
    afterExecution: ({ stepName, result }) => console.log(stepName, result),
    runCompleted: async ({ result }) => console.log(result.length),
    onError: ({ workflowRunId, error }) => console.log(workflowRunId, error.message),
    onWarning: ({ warning }) => console.log(warning),
    onInfo: ({ info }) => console.log(info),
  },
});
const plain = new WorkflowMiddleware({
  name: "plain",
  init: async () => ({ runCompleted: ({ result }) => console.log(result) }),
});
const receiver: WorkflowReceiver = { verify: async ({ signature }) => signature !== "" };

const options: WorkflowServeOptions<Order, string> = {
  url: "https://app.example.com/order",
  baseUrl: "https://app.example.com",
  env: { QSTASH_TOKEN: "token", OTHER: undefined },
  receiver,
  qstashClient: { retry: { retries: 1, backoff: (count) => count * 10 }, headers: { "X-Own": "1" } },
  disableTelemetry: true,
  verbose: true,
  middlewares: [loggingMiddleware, plain, diary],
  initialPayloadParser: (text) => JSON.parse(text) as Order,
  failureFunction: async ({ context, failStatus, failResponse, failHeaders, failStack }) => {
    const { id }: Order = context.requestPayload;
    return `${id} ${failStatus.toFixed()} ${failResponse} ${failHeaders["X-Own"]?.[0]} ${failStack} ${context.url}`;
  },
};
const fulfil: RouteFunction<Order, string> = async (context) => {
  if (context.retried > 3) throw new WorkflowNonRetryableError("enough");
  if (context.labels.length > 3) throw new WorkflowRetryAfterError("later", "5m");
  return context.run("name", () => context.requestPayload.id);
};
export const order = serve(fulfil, options);

const schema = z.object({ name: z.string(), pieces: z.number().optional() });
export const checked = serve(async (context) => context.requestPayload.name.length, { schema });

/** Each step, and what it gives. */
export async function everyStep(context: WorkflowContext<Order>): Promise<string> {
  const pause: Duration = "1h";
  await context.sleep("a", pause);
  await context.sleepUntil("b", new Date(0));
  const request: CallSettings = { url: "https://a.example.com/", retries: 1, timeout: "10s" };
  const { status, body, header } = await context.call<{ ok: boolean }>("c", {
    ...request,
    method: "POST",
    body: "{}",
    headers: { "Content-Type": "application/json" },
    retryDelay: "1000",
    flowControl: { key: "k", rate: 1, period: "1m" },
  });
  const event: WaitStepResponse<{ by: string }> = await context.waitForEvent("d", "event", { timeout: 60 });
  const { notifyResponse } = await context.notify("e", "event", { by: "me" }, "wfr_1");
  const told: string[] = notifyResponse.map((one) => one.messageId);
  const webhook = await context.createWebhook("f");
  const hit = await context.waitForWebhook("g", webhook, "1d");
  const text: string = hit.timeout ? "" : await hit.request.text();
  const [left, right] = await Promise.all([context.run("h", () => 1), context.run("i", async () => "x")]);
  const labels: string[] = context.labels;
  if (text === "stop") await context.cancel();
  return [status, body.ok, header["X-Own"]?.[0], event.timeout, told, left.toFixed(), right, labels].join();
}

/** Providers that are called by name, whose answers have types. */
export async function everyProvider(context: WorkflowContext): Promise<unknown[]> {
  const messages = [{ role: "user" as const, content: "Hi" }];
  const chat = await context.api.openai.call("a", {
    token: "t",
    operation: "chat.completions.create",
    body: { model: "m", messages },
  });
  const message = await context.api.anthropic.call("b", {
    token: "t",
    operation: "messages.create",
    body: { model: "m", max_tokens: 1, messages },
  });
  const mail = { from: "a", to: "b", subject: "c", headers: {}, attachments: [], tags: [] };
  const sent = await context.api.resend.call("c", { token: "t", body: mail });
  const all = await context.api.resend.call<true>("d", { token: "t", batch: true, body: [mail] });
  const own = await context.api.openai.call<{ mine: string }, { model: number }>("e", {
    token: "t",
    operation: "chat.completions.create",
    baseURL: "https://a.example.com",
    body: { model: 1 },
  });
  const ids: string[] = all.body.data.map(({ id }) => id);
  return [
    chat.body.choices[0]?.message.content?.length,
    message.body.content[0]?.text.length,
    sent.body.id.length,
    ids,
    own.body.mine.length,
  ];
}

const double = createWorkflow(
  async (context: WorkflowContext<{ n: number }>) => context.requestPayload.n * 2,
);
const silent = createWorkflow(async (_: WorkflowContext<undefined>) => "done", { verbose: true });
const greet = createWorkflow(async (context) => `Hello, ${context.requestPayload.name}`, { schema });
const children: InvokableWorkflow<{ n: number }, number>[] = [double];
const parent = createWorkflow(async (context) => {
  const { body, isFailed = false } = await context.invoke("a", {
    workflow: double,
    body: { n: 1 },
    headers: { "X-Own": "1" },
    retries: 1,
    label: ["a", "b"],
    workflowRunId: "own",
  });
  const said = await context.invoke("b", { workflow: silent });
  const greeted = await context.invoke("c", { workflow: greet, body: { name: "Ada" } });
  const called = await context.call("d", { workflow: double, body: { n: 2 }, timeout: 3 });
  const text = `${said.body} ${greeted.body} ${called.body.workflowRunId}`;
  return isFailed || body === undefined ? text : body.toFixed();
});
export const many = serveMany(
  { double, silent, greet, parent },
  { baseUrl: "https://a.example.com", middlewares: [plain] },
);
export { children };
