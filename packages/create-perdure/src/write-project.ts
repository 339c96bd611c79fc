import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Choice, FRAMEWORKS, type Framework, runScript, USE_CASES } from "./choices.ts";
import { UsageError } from "./usage-error.ts";

// The same relative path works from src/ and from dist/.
const PACKAGE = new URL("../", import.meta.url);
const TEMPLATES = fileURLToPath(new URL("templates/", PACKAGE));

const PERDURE = ["@perdure/core", "@perdure/adapters"];
/** Packages whose install scripts fetch a program. */
const WITH_INSTALL_SCRIPTS = ["esbuild", "sharp", "workerd"];
const PERDURE_DEV = ["@perdure/engine", "@perdure/test"];

/**
 * Writes a project to its folder.
 *
 * @returns the written files, relative to the folder
 * @throws UsageError when the folder has files, or a tarball is missing
 */
export function writeProject(choice: Choice): string[] {
  const folder = resolve(choice.folder);
  if (existsSync(folder) && readdirSync(folder).some((name) => name !== ".git"))
    throw new UsageError(`The folder ${folder} isn't empty. Name another one, or empty it.`);
  const files = filesOf(choice);
  for (const [path, content] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return [...files.keys()].sort();
}

/** Returns the files of a project with their contents. */
function filesOf(choice: Choice): Map<string, string> {
  const { framework, useCase, folder } = choice;
  const project = projectName(folder);
  const fill = (text: string): string =>
    text.replaceAll("__name__", useCase).replaceAll("__project__", project);
  const files = new Map<string, string>();
  const add = (template: string, path: string): void => {
    files.set(fill(path), fill(readFileSync(join(TEMPLATES, template), "utf8")));
  };
  const source = join(TEMPLATES, "frameworks", framework);
  for (const path of readdirSync(source, { recursive: true, withFileTypes: true })) {
    if (!path.isFile()) continue;
    const file = relative(source, join(path.parentPath, path.name)).replaceAll("\\", "/");
    add(join("frameworks", framework, file), file);
  }
  add(`use-cases/${useCase}.ts`, `src/${useCase}.ts`);
  add(`use-cases/${useCase}.test.ts`, `test/${useCase}.test.ts`);
  add(`use-cases/${useCase}.json`, "payload.json");
  files.set("package.json", `${JSON.stringify(manifestOf(choice, project), null, 2)}\n`);
  files.set("tsconfig.json", `${JSON.stringify(tsconfigOf(FRAMEWORKS[framework]), null, 2)}\n`);
  files.set("README.md", readme(choice, project));
  // npm leaves a file of this name out of a package.
  files.set(".gitignore", "node_modules/\n.perdure/\n.next/\n.wrangler/\n.dev.vars\n");
  if (framework === "cloudflare") files.set(".dev.vars", "PERDURE_DEV=1\n");
  if (choice.packageManager === "pnpm") files.set("pnpm-workspace.yaml", pnpmSettings(choice));
  return files;
}

/** The scripts, and the dependencies with their versions. */
function manifestOf(choice: Choice, name: string): object {
  const framework: Framework = FRAMEWORKS[choice.framework];
  const versions = perdureVersions(choice);
  const pick = (names: readonly string[]) => Object.fromEntries(names.map((one) => [one, versions(one)]));
  return {
    name,
    private: true,
    type: "module",
    engines: { node: ">=22.18" },
    scripts: {
      dev: `perdure dev -- ${framework.dev}`,
      trigger: `perdure trigger http://localhost:3000/${choice.useCase} --body @payload.json --wait`,
      test: "vitest run",
      types: "tsc --noEmit",
      ...framework.scripts,
    },
    dependencies: sorted({ ...pick(PERDURE), ...framework.dependencies }),
    devDependencies: sorted({
      ...pick(PERDURE_DEV),
      "@types/node": "^24.19.2",
      typescript: "^7.0.2",
      vitest: "^5.1.1",
      ...framework.devDependencies,
    }),
  };
}

/** Returns a function from a package of Perdure to the version, or the tarball, to install. */
function perdureVersions({ tarballs }: Choice): (name: string) => string {
  const { version } = JSON.parse(readFileSync(new URL("package.json", PACKAGE), "utf8")) as {
    version: string;
  };
  if (tarballs === undefined) return () => `^${version}`;
  const found = existsSync(tarballs) ? readdirSync(tarballs) : [];
  return (name) => {
    const file = `${name.replace("@", "").replace("/", "-")}-${version}.tgz`;
    if (!found.includes(file))
      throw new UsageError(`The folder ${resolve(tarballs)} has no ${file}. Write it with: npm run pack`);
    return `file:${resolve(tarballs, file)}`;
  };
}

/**
 * pnpm refuses install scripts that a project doesn't allow, and looks for the packages of Perdure's packages in
 * the registry.
 */
function pnpmSettings(choice: Choice): string {
  const lines = ["allowBuilds:", ...WITH_INSTALL_SCRIPTS.map((name) => `  ${name}: true`)];
  if (choice.tarballs !== undefined) {
    const versions = perdureVersions(choice);
    lines.push(
      "overrides:",
      ...[...PERDURE, ...PERDURE_DEV].map((name) => `  "${name}": "${versions(name)}"`),
    );
  }
  return `${lines.join("\n")}\n`;
}

function tsconfigOf({ compilerOptions }: Framework): object {
  return {
    compilerOptions: {
      target: "es2023",
      lib: ["es2023", "esnext.disposable"],
      module: "esnext",
      moduleResolution: "bundler",
      allowImportingTsExtensions: true,
      noEmit: true,
      strict: true,
      skipLibCheck: true,
      ...compilerOptions,
    },
    exclude: ["node_modules"],
  };
}

function readme({ framework, useCase, packageManager }: Choice, project: string): string {
  const run = runScript(packageManager);
  const { fails, hint } = USE_CASES[useCase];
  return `# ${project}

A durable workflow, made with [Perdure](https://github.com/perdure/perdure): ${FRAMEWORKS[framework].label}, \`src/${useCase}.ts\`.

\`\`\`sh
${run} dev        # the engine, its dashboard and this app, in one terminal
${run} trigger    # in another one: starts a run with payload.json, and waits for its result
${run} test       # the workflow's tests: no port, and time passes by itself
\`\`\`

The engine prints the address of its dashboard, which shows each run. ${hint}

## Let it fail

1. ${fails} in \`payload.json\`, and start another run by \`${run} trigger\`.
   The engine tries the step again after 1, 2 and 4 seconds. Then the run has failed.
2. Open the run in the dashboard: it shows each attempt, the error, and what the failure function was given.
3. Mend \`src/${useCase}.ts\`, and press **Resume**: the new run keeps the recorded results.

## Files

| file | what it is |
| --- | --- |
| \`src/${useCase}.ts\` | the workflow, and the failure function that runs when it has failed for good |
| \`test/${useCase}.test.ts\` | its tests |
| \`payload.json\` | the payload of \`${run} trigger\` |

## In production

Set \`PERDURE_URL\`, \`PERDURE_TOKEN\`, \`PERDURE_CURRENT_SIGNING_KEY\` and \`PERDURE_NEXT_SIGNING_KEY\`, and run the
engine with \`perdure start\`.
`;
}

/** A name that npm accepts: of the folder's last part. */
function projectName(folder: string): string {
  const name = basename(resolve(folder))
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-");
  return name.replace(/^[._-]+/, "") || "perdure-app";
}

function sorted(versions: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(versions).sort(([a], [b]) => (a < b ? -1 : 1)));
}
