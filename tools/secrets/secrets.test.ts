import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { comparisonsOfSecrets } from "./secrets.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Names of headers, which are no secrets; configured values, compared at the start, when no stranger is listening; and
 * comparisons with public credentials.
 */
const NO_SECRETS: readonly string[] = [
  "SECRETS.has(name)",
  "name !== signature",
  "known.has(secret)",
  "metricsToken === secret",
  "PUBLIC_TOKENS.includes(value)",
  "user.token === token",
  "user.token !== token",
];

const files = ["core", "adapters", "engine"].flatMap((name) => {
  const folder = join(ROOT, "packages", name, "src");
  return (
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      // An argument of a command line is compared once, and with nothing that a stranger has sent.
      .filter((file) => file.endsWith(".ts") && !file.startsWith("cli/"))
      .map((file) => join(folder, file))
  );
});

describe("secrets and their hashes", () => {
  it("are compared in constant time, everywhere", () => {
    const found = files.flatMap((file) =>
      comparisonsOfSecrets(readFileSync(file, "utf8"))
        .filter(({ text }) => !NO_SECRETS.includes(text))
        .map(({ line, text }) => `${relative(ROOT, file)}:${line} ${text}`),
    );
    expect(found).toEqual([]);
  });

  it.each([
    ["packages/core/src/server/signature.ts", "equalConstantTime("],
    ["packages/engine/src/http/auth.ts", "timingSafeEqual("],
  ])("are so in %s, by %s…)", (file, comparison) => {
    expect(readFileSync(join(ROOT, file), "utf8")).toContain(comparison);
  });
});

describe("a comparison", () => {
  it.each([
    "token === wanted",
    "shown != service.token",
    'headers["Upstash-Signature"] === signature',
    "payload.hash === await sha256Base64Url(bytes)",
    "(await digest(shown)) !== (other as string)",
    "keys.includes(signingKey)",
    "Buffer.from(a).equals(digest)",
    "seen.has(token)",
    "switch (password) {}",
    "hash! == other",
  ])("by %s is found", (source) => {
    expect(comparisonsOfSecrets(`async () => { ${source} }`)).toHaveLength(1);
  });

  it.each([
    "token === undefined",
    'typeof token === "string"',
    'token === ""',
    "timingSafeEqual(token, wanted)",
    "kind === token.kind",
    "tokens.length === 2",
    "name === headerName",
  ])("by %s is none", (source) => {
    expect(comparisonsOfSecrets(`async () => { ${source} }`)).toEqual([]);
  });
});
