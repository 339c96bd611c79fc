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
  const [, message] = /^\/message\/(.+)$/.exec(request.url ?? "") ?? [];
  if (message === undefined) {
    serveWorkflows(request, response);
    return;
  }
  write({ e: "message", message });
  response.end("ok");
});
server.listen(Number(PORT), "127.0.0.1", () => console.log("listening"));
