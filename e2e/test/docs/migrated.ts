import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** An application on `@upstash/workflow`. With these tests, it is type-checked against that. */
const APPLICATION = fileURLToPath(new URL("../migrating", import.meta.url));

/** A file of that application, with its imports changed, and nothing else, as a page says. */
export interface Migrated {
  readonly file: string;
  readonly code: string;
}

/** @param page the text of docs/migrating.md, whose tables have names beside names */
export function migrated(page: string): Migrated[] {
  const pairs = [...page.matchAll(/^\| `([\w-]+)` \| `([\w-]+)` \|/gm)];
  const renamed = new Map(pairs.map(([, theirs = "", ours = ""]) => [theirs, ours]));
  return readdirSync(APPLICATION).map((file) => ({
    file: `migrated-${file}`,
    code: migrate(readFileSync(join(APPLICATION, file), "utf8"), renamed),
  }));
}

function migrate(source: string, renamed: ReadonlyMap<string, string>): string {
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
