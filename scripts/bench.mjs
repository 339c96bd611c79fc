// npm run bench: what is measured, as ratios.
import { runAfterSetup } from "./lib/main.mjs";
import { NODE } from "./lib/paths.mjs";

await runAfterSetup(NODE, ["bench/src/main.ts", ...process.argv.slice(2)]);
