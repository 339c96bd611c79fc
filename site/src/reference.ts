import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Application, type TypeDocOptions } from "typedoc";
import type { PluginOptions } from "typedoc-plugin-markdown";
import { PAGES, ROOT } from "./paths.ts";
import type { Section } from "./sidebar.ts";

const FOLDER = join(PAGES, "reference");

/** The packages with a reference, and the files that they export: each adapter is one. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  core: ["index.ts"],
  adapters: readdirSync(join(ROOT, "packages", "adapters", "src")).filter((name) => name.endsWith(".ts")),
  test: ["index.ts"],
  engine: ["index.ts"],
  otel: ["index.ts"],
};

const OPTIONS: Partial<TypeDocOptions & PluginOptions> = {
  plugin: ["typedoc-plugin-markdown"],
  tsconfig: fileURLToPath(new URL("../tsconfig.packages.json", import.meta.url)),
  readme: "none",
  disableSources: true,
  excludePrivate: true,
  excludeInternal: true,
  excludeExternals: true,
  // `pnpm types` checks the types.
  skipErrorChecking: true,
  logLevel: "Error",
  entryFileName: "index",
  outputFileStrategy: "modules",
  flattenOutputFiles: true,
  hidePageHeader: true,
  hideBreadcrumbs: true,
  // Its own count of equal headings differs from that of the site.
  useHTMLAnchors: true,
  groupOrder: ["Functions", "Variables", "Classes", "Interfaces", "Type Aliases", "*"],
  parametersFormat: "table",
  propertiesFormat: "table",
  interfacePropertiesFormat: "table",
};

/** Writes the API reference of each package from its docstrings. */
export async function writeReference(): Promise<void> {
  const names = Object.keys(PACKAGES);
  const all = await startTypeDoc({ entryPoints: names.flatMap(filesOf) });
  const read = all.getEntryPoints() ?? [];
  for (const name of names) {
    const entryPoints = filesOf(name).map((file) => {
      const entry = read.find(({ sourceFile }) => sourceFile.fileName === file);
      if (!entry) throw new Error(`TypeDoc can't read ${file}.`);
      return { ...entry, displayName: basename(file, ".ts") };
    });
    const app = await startTypeDoc({ name: `@perdure/${name}`, out: join(FOLDER, name) });
    await app.generateOutputs(app.converter.convert(entryPoints));
  }
  mkdirSync(FOLDER, { recursive: true });
  const list = names.map((name) => `- [@perdure/${name}](./${name}/index.md)`).join("\n");
  writeFileSync(
    join(FOLDER, "index.md"),
    `# API reference\n\nWritten from the docstrings of the packages.\n\n${list}\n`,
  );
}

/** The packages are one program: their types, and those of the frameworks, are worked out once. */
function startTypeDoc(options: Partial<TypeDocOptions>): Promise<Application> {
  return Application.bootstrapWithPlugins({ ...OPTIONS, ...options });
}

function filesOf(name: string): string[] {
  return (PACKAGES[name] ?? []).map((file) => join(ROOT, "packages", name, "src", file));
}

/** The sidebar of the reference: a page for each package, and one for each adapter. */
export function readReferenceSidebar(): Section[] {
  return Object.entries(PACKAGES).map(([name, files]) => {
    const names = files.length === 1 ? [] : files.map((file) => file.replace(/\.ts$/, ""));
    const items = names.map((text) => ({ text, link: `/reference/${name}/${text}` }));
    return { text: `@perdure/${name}`, link: `/reference/${name}/`, items };
  });
}
