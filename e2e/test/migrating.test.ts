import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const E2E = fileURLToPath(new URL("..", import.meta.url));
const ROOT = join(E2E, "..");
const TSC = join(ROOT, "node_modules", "typescript", "lib", "tsc.js");
const APPLICATION = join(E2E, "test", "migrating");

/** The first two columns of the page's tables, as far as they are names. */
const pairs = [
  ...readFileSync(join(ROOT, "docs", "migrating.md"), "utf8").matchAll(/^\| `([\w-]+)` \| `([\w-]+)` \|/gm),
].map(([, theirs = "", ours = ""]) => [theirs, ours] as const);
const renamed = new Map(pairs);

/** Changes an application's imports, and nothing else, as docs/migrating.md says. */
function migrate(source: string): string {
  return source.replace(
    /^import ([^;]*?) from "@upstash\/workflow(?:\/([\w-]+))?";$/gm,
    (_, names: string, entry?: string) => {
      if (entry) return `import ${names} from "@perdure/adapters/${renamed.get(entry) ?? entry}";`;
      const known = names.replace(/\btype (\w+)/g, (same, name: string) => {
        const ours = renamed.get(name);
        return ours ? `type ${ours} as ${name}` : same;
      });
      return `import ${known} from "@perdure/core";`;
    },
  );
}

// Against @upstash/workflow itself, the application is type-checked with these tests.
it("an application has to change nothing but its imports, as docs/migrating.md says", async () => {
  const folder = mkdtempSync(join(E2E, ".migrated-"));
  try {
    const files = readdirSync(APPLICATION);
    for (const file of files) {
      const source = migrate(readFileSync(join(APPLICATION, file), "utf8"));
      expect(source).not.toContain('"@upstash');
      writeFileSync(join(folder, file), source);
    }
    expect(files).toEqual(["operated.ts", "served.ts"]);
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ extends: "../tsconfig.json", include: ["*.ts"] }),
    );
    expect(await compile(folder)).toEqual({ failed: false, out: "" });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

function compile(folder: string): Promise<{ failed: boolean; out: string }> {
  return new Promise((done) => {
    execFile(process.execPath, [TSC, "-p", folder], { timeout: 40_000 }, (error, out) =>
      done({ failed: error !== null, out }),
    );
  });
}
