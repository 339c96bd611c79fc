// npm start [-- --once]: the example, with the engine beside it.
import { runAfterSetup } from "./lib/main.mjs";
import { NODE } from "./lib/paths.mjs";

await runAfterSetup(NODE, ["examples/node/src/main.ts", ...process.argv.slice(2)]);
