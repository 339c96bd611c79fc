// npm run perdure -- dev --port 8099 --db FILE: the engine's command line, from source, in the folder of the call.
import { join } from "node:path";
import { runAfterSetup } from "./lib/main.mjs";
import { NODE, ROOT } from "./lib/paths.mjs";

const calledIn = process.env.npm_lifecycle_event === "perdure" ? process.env.INIT_CWD : undefined;
const cli = join(ROOT, "packages", "engine", "src", "cli.ts");
await runAfterSetup(NODE, [cli, ...process.argv.slice(2)], { cwd: calledIn ?? process.cwd() });
