// npm run pnpm -- add -D NAME --filter @perdure/core: the pinned pnpm, on a machine that has none.
import { main } from "./lib/main.mjs";
import { pnpm } from "./lib/setup.mjs";

await main(async () => (await pnpm(process.argv.slice(2))).code);
