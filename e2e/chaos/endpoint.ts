import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createWorkflow, serveMany } from "@perdure/adapters/node";
import { WorkflowNonRetryableError } from "@perdure/core";
import { writerOf } from "./history.ts";
import { type Actor, type ChildPayload, outcomeOf, type Program, perform, RETRIES } from "./program.ts";

// The endpoint of the chaos tests, a process that is killed at random moments. It writes to HISTORY what it does.
const { PORT = "0", HISTORY = "" } = process.env;
const write = writerOf(HISTORY);
const executions = new Map<string, number>();
const service = `http://127.0.0.1:${PORT}/service`;
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.random() * 40));

const child = createWorkflow<ChildPayload, string>(async (context) => {
  const { parent, step, fails } = context.requestPayload;
  await context.run("begin", () => write({ e: "child", run: context.workflowRunId, parent, step }));
  if (fails) throw new WorkflowNonRetryableError("the child fails");
  return "child";
}, RETRIES);

const main = createWorkflow<Program, string>(async (context) => {
  const [run, by] = [context.workflowRunId, randomUUID()];
  const actor: Actor = {
    child,
    service,
    async work(step, node, key) {
      write({ e: "work", run, step, key, by });
      const execution = (executions.get(`${run} ${step}`) ?? 0) + 1;
      executions.set(`${run} ${step}`, execution);
      await pause();
      const value = outcomeOf(node, execution, `${step} by ${process.pid} ${execution}`);
      write({ e: "made", run, step, value });
      return value;
    },
    undo: (step) => write({ e: "undo", run, step }),
    see: (step, value) => write({ e: "see", run, step, value, by }),
  };
  return perform(context, context.requestPayload, actor);
}, RETRIES);

const serveWorkflows = serveMany(
  { main, child },
  {
    failureFunction: async ({ context, failureId }) => {
      await pause();
      write({ e: "told", run: context.workflowRunId, failureId });
    },
  },
);

const server = createServer((request, response) => {
  if (request.url === "/service") {
    response.end(JSON.stringify(`answer ${process.pid} ${Math.random()}`));
    return;
  }
  const [, kind, name = "", message = ""] =
    /^\/(message|lane|tick)\/([^/]+)(?:\/(.+))?$/.exec(request.url ?? "") ?? [];
  switch (kind) {
    case "message":
      write({ e: "message", message: name });
      response.end("ok");
      break;
    case "tick":
      write({ e: "tick", schedule: name, message: String(request.headers["upstash-message-id"]) });
      response.end("ok");
      break;
    case "lane":
      void takeTurn(name, message).then((status) => response.writeHead(status).end());
      break;
    default:
      serveWorkflows(request, response);
  }
});

/** Takes a message of a lane, and fails now and then. @returns the status of the answer */
async function takeTurn(lane: string, message: string): Promise<200 | 500> {
  const by = randomUUID();
  write({ e: "begin", lane, message, by });
  await pause();
  const ok = Math.random() > 0.1;
  write({ e: "end", lane, message, by, ok });
  return ok ? 200 : 500;
}

server.listen(Number(PORT), "127.0.0.1", () => console.log("listening"));
