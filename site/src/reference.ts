import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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
  for (const name of names) {
    const folder = join(ROOT, "packages", name);
    const files = PACKAGES[name] ?? [];
    const app = await Application.bootstrapWithPlugins({
      ...OPTIONS,
      name: `@perdure/${name}`,
      out: join(FOLDER, name),
      tsconfig: join(folder, "tsconfig.json"),
      entryPoints: files.map((file) => join(folder, "src", file)),
    });
    const project = await app.convert();
    if (!project) throw new Error(`TypeDoc can't read packages/${name}.`);
    await app.generateOutputs(project);
  }
  mkdirSync(FOLDER, { recursive: true });
  const list = names.map((name) => `- [@perdure/${name}](./${name}/index.md)`).join("\n");
  writeFileSync(
    join(FOLDER, "index.md"),
    `# API reference\n\nWritten from the docstrings of the packages.\n\n${list}\n`,
  );
}

/** The sidebar of the reference: a page for each package, and one for each adapter. */
export function readReferenceSidebar(): Section[] {
  return Object.entries(PACKAGES).map(([name, files]) => {
    const names = files.length === 1 ? [] : files.map((file) => file.replace(/\.ts$/, ""));
    const items = names.map((text) => ({ text, link: `/reference/${name}/${text}` }));
    return { text: `@perdure/${name}`, link: `/reference/${name}/`, items };
  });
}
