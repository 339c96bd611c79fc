import { appendFileSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { serve } from "@perdure/adapters/node";
import { WorkflowNonRetryableError } from "@perdure/core";

// An endpoint that kills itself in the middle of the work that it is told: `node dying-app.ts PORT DIARY WORK`.
const [, , port, diary = "", fatal] = process.argv;

function note(what: string): void {
  const before = readFileSync(diary, { encoding: "utf8", flag: "a+" }).split("\n");
  appendFileSync(diary, `${what}\n`);
  // Once: whoever is started in its place does it to its end.
  if (what === fatal && !before.includes(what)) process.kill(process.pid, "SIGKILL");
}

const workflow = serve(
  async (context) => {
    for (const name of ["a", "b", "c"])
      await context.run(name, () => note(name), { rollback: () => note(`undo ${name}`) });
    throw new WorkflowNonRetryableError("boom");
  },
  { failureFunction: ({ rollbacks }) => note(`failure function after ${rollbacks.length}`) },
);

createServer(workflow).listen(Number(port), "127.0.0.1", () =>
  console.log(`running at http://127.0.0.1:${port}`),
);
