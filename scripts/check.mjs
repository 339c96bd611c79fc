// npm run check: what an editor would underline. Biome and the type checker, quick where nothing has changed.
import { run } from "./lib/child.mjs";
import { main } from "./lib/main.mjs";
import { environment, ROOT } from "./lib/paths.mjs";
import { setup } from "./lib/setup.mjs";

await main(async () => {
  await setup();
  const options = { cwd: ROOT, env: environment() };
  const lint = await run("biome", ["check", "--error-on-warnings"], options);
  const types = await run(
    "turbo",
    ["run", "types", "--continue=always", "--output-logs=errors-only"],
    options,
  );
  const tools = await run("tsc", ["-p", "tools"], options);
  return lint.code || types.code || tools.code;
});
