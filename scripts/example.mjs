// npm run example -- NAME [ARGS]: the app of examples/NAME by its own `start` script, on the pinned Node.
import { delimiter, join } from "node:path";
import { runAfterSetup } from "./lib/main.mjs";
import { environment, packageFolders, ROOT, readJson } from "./lib/paths.mjs";

const [name, ...args] = process.argv.slice(2);
const apps = new Map(
  packageFolders()
    .filter((folder) => folder.startsWith("examples/"))
    .map((folder) => [
      folder.slice("examples/".length),
      readJson(join(ROOT, folder, "package.json")).scripts.start,
    ])
    .filter(([, script]) => script !== undefined),
);
const script = apps.get(name);
if (script) {
  const cwd = join(ROOT, "examples", name);
  const { PATH, ...env } = environment();
  const tools = { ...env, PATH: `${join(cwd, "node_modules", ".bin")}${delimiter}${PATH}` };
  // Not by npm: signals would have to pass through it.
  await runAfterSetup("sh", ["-c", `${script} "$@"`, name, ...args], { cwd, env: tools });
} else {
  process.stderr.write(`npm run example -- NAME: one of ${[...apps.keys()].join(", ")}\n`);
  process.exitCode = 1;
}
