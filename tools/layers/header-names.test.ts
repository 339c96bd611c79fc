import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const PACKAGES = fileURLToPath(new URL("../../packages", import.meta.url));

/**
 * A header name of the protocol in a string. A product's name, such as the user agent, isn't one, nor is the header
 * between the dashboard's page and its server.
 */
const HEADER_NAME = /["'`](?:upstash|perdure)-(?!QStash["'`]|backup|dashboard|postgres-)/i;

/** The files that name headers. */
const NAMING = ["header-names.ts", "header-prefixes.ts", "headers.ts"].map(
  (file) => `core/src/protocol/${file}`,
);

function literalsIn(file: string): string[] {
  const lines = readFileSync(join(PACKAGES, file), "utf8").split("\n");
  return lines.flatMap((line, at) => {
    const isComment = /^\s*(?:\/\/|\/?\*)/.test(line);
    return HEADER_NAME.test(line) && !isComment ? [`${file}:${at + 1}`] : [];
  });
}

test("header names of the protocol stand in one place", () => {
  const files = ["core", "adapters", "dashboard", "engine", "test-support"].flatMap((name) =>
    readdirSync(join(PACKAGES, name, "src"), { recursive: true, encoding: "utf8" })
      .filter((file) => /\.tsx?$/.test(file))
      .map((file) => `${name}/src/${file.replaceAll("\\", "/")}`),
  );
  expect(literalsIn("core/src/protocol/header-names.ts").length).toBeGreaterThan(40);
  expect(files.filter((file) => !NAMING.includes(file)).flatMap(literalsIn)).toEqual([]);
});
