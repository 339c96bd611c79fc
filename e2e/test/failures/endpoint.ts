import { createServer } from "node:http";
import { createWorkflow, serveMany } from "@perdure/adapters/node";
import { MODE_OPTIONS } from "@perdure/test-support/mode";

// An endpoint in a process of its own, for tests that kill it: it says what it does, a line at a time.
const { PORT = "0", HANGS, DEAF, OPEN } = process.env;
const aMinute = () => new Promise((resolve) => setTimeout(resolve, 60_000));
let deaf = Boolean(DEAF);

const wf = createWorkflow(
  async (context) => {
    await context.run("before", () => "done");
    await context.run("charge", async () => {
      console.log("charging");
      if (HANGS) await aMinute();
      throw new Error("declined");
    });
  },
  { retries: 0, failureRetries: 50, failureRetryDelay: "100" },
);
const parent = createWorkflow(async (context) => {
  const settings = { workflow: wf, body: { n: 1 } };
  if (context.requestPayload === "call") return context.call("child", settings);
  const own = { retries: 0, failureRetries: 50, failureRetryDelay: "100" };
  return (await context.invoke("child", { ...settings, ...own })).isFailed;
});

const server = createServer(
  serveMany(
    { wf, parent },
    {
      ...MODE_OPTIONS,
      ...(OPEN ? { authorize: () => true } : {}),
      failureFunction: async ({ context, ...told }) => {
        if (deaf) {
          deaf = false;
          console.log("told");
          await aMinute();
        }
        console.log(`failed ${JSON.stringify({ ...told, payload: context.requestPayload })}`);
        return "noted";
      },
    },
  ),
);
server.listen(Number(PORT), "127.0.0.1", () => console.log("listening"));
