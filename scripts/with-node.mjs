// node scripts/with-node.mjs COMMAND [ARGS]: one of the workspace's tools (or `node` itself) on the pinned Node.
import { runAfterSetup } from "./lib/main.mjs";

const [command = "node", ...args] = process.argv.slice(2);
await runAfterSetup(command, args);
