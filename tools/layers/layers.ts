/**
 * The floors of each package, the lowest first. A file imports from its own floor and from those below, and from the
 * packages that are named for a floor on the way up to its own. `*` is everything that no other floor names.
 */
export const LAYERS: Readonly<Record<string, readonly Floor[]>> = {
  core: [
    { places: ["util"] },
    { places: ["protocol"] },
    { places: ["engine-client"], packages: ["@upstash/qstash", "#appenders"] },
    { places: ["server"], packages: ["#digest"] },
    { places: ["steps"] },
    { places: ["context.ts", "workflow.ts", "middleware.ts"] },
    { places: ["replay"] },
    { places: ["handlers"] },
    { places: ["*"] },
  ],
  adapters: [
    { places: ["internal"], packages: ["@perdure/core", "@perdure/core/protocol"] },
    { places: ["*"], packages: ["astro"] },
  ],
  test: [
    {
      places: ["*"],
      packages: [
        "@perdure/core",
        "@perdure/core/protocol",
        "@perdure/core/testing",
        "@perdure/engine",
        "node:*",
      ],
    },
  ],
  dashboard: [
    { places: ["base.ts", "format"], packages: ["preact", "@preact/signals", "@perdure/core/protocol"] },
    { places: ["router.ts", "api"] },
    { places: ["ui"] },
    { places: ["run"] },
    { places: ["pages"] },
    { places: ["*"] },
  ],
  otel: [{ places: ["*"], packages: ["@perdure/core", "@perdure/core/protocol", "@opentelemetry/api"] }],
  engine: [
    { places: ["rules"], packages: ["@perdure/core/protocol", "croner"] },
    { places: ["store"], packages: ["node:*", "postgres"] },
    { places: ["queries"] },
    { places: ["commands"] },
    { places: ["watch"] },
    { places: ["delivery"], packages: ["ipaddr.js"] },
    { places: ["http"], packages: ["hono", "zod"] },
    { places: ["api"] },
    { places: ["dashboard"] },
    { places: ["*"], packages: ["@hono/node-server", "commander", "picocolors", "prom-client"] },
    {
      places: ["cli", "cli.ts"],
      packages: [
        "@perdure/core",
        "eventsource-parser",
        "@opentelemetry/api",
        "@opentelemetry/exporter-trace-otlp-http",
        "@opentelemetry/resources",
        "@opentelemetry/sdk-trace",
      ],
    },
  ],
};

export interface Floor {
  /** Folders and files of `src`. */
  readonly places: readonly string[];
  /** Packages that this floor, and every one above it, may import. `node:*` is all of Node's modules. */
  readonly packages?: readonly string[];
}

export interface Import {
  /** Below the package's `src`. */
  readonly file: string;
  readonly line: number;
  readonly specifier: string;
}

/** Why a file may not import something; `undefined` when it may. */
export function refusalOf(name: string, { file, specifier }: Import): string | undefined {
  const floors = LAYERS[name] ?? [];
  const own = floorOf(floors, file);
  if (!specifier.startsWith(".")) {
    const allowed = floors.slice(0, own + 1).flatMap(({ packages = [] }) => packages);
    return allowed.some((one) => isOf(specifier, one))
      ? undefined
      : `${nameOf(floors, own)} imports no such package`;
  }
  const target = resolve(file, specifier);
  if (target === undefined) return "the path leaves the package, or goes down and comes up again";
  const other = floorOf(floors, target);
  return other <= own ? undefined : `${nameOf(floors, own)} is below ${nameOf(floors, other)}`;
}

function floorOf(floors: readonly Floor[], file: string): number {
  const [top = ""] = file.split("/");
  const named = floors.findIndex(({ places }) => places.includes(top));
  return named >= 0 ? named : floors.findIndex(({ places }) => places.includes("*"));
}

function nameOf(floors: readonly Floor[], at: number): string {
  return floors[at]?.places.join(", ") ?? "nothing";
}

function isOf(specifier: string, allowed: string): boolean {
  if (allowed.endsWith("*")) return specifier.startsWith(allowed.slice(0, -1));
  return specifier === allowed || (specifier.startsWith(`${allowed}/`) && !allowed.startsWith("@perdure/"));
}

/** A relative path in `src`, where it is written in the shortest way. */
function resolve(file: string, specifier: string): string | undefined {
  const path = file.split("/").slice(0, -1);
  const steps = specifier.split("/");
  const ups = steps.findIndex((step) => step !== ".." && step !== ".");
  if (steps.slice(ups).some((step) => step === ".." || step === ".")) return undefined;
  for (const step of steps.slice(0, ups)) {
    if (step === ".." && path.pop() === undefined) return undefined;
  }
  return [...path, ...steps.slice(ups)].join("/");
}

/** The imports of a source: statements, `import()`, and types. */
export function importsOf(file: string, text: string): Import[] {
  const lines = text.split("\n");
  return lines.flatMap((line, at) =>
    /^\s*(\*|\/\/)/.test(line)
      ? []
      : [...line.matchAll(/(?:\bfrom|^\s*import|\bimport\()\s*"([^"]+)"/g)].map(
          ([, specifier = ""]): Import => ({ file, line: at + 1, specifier }),
        ),
  );
}
