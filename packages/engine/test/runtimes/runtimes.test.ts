import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { INHERITED } from "@perdure/test-support/inherited";
import { sampled } from "@perdure/test-support/sample";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Certificates, makeCertificates } from "./certificates.ts";
import { COMMONJS, RUNTIMES } from "./runtimes.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const run = promisify(execFile);

const SUITES = ["one-process-suite", "store-suite", "tls-suite", "wire-suite"] as const;
/** What the certificate of the suite on TLS is good for. */
const SECURE = "well.test";

let folder: string;
let certificates: Certificates;

const suiteOf = (name: (typeof SUITES)[number]): string => join(folder, `${name}.mjs`);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "perdure-runtimes-"));
  certificates = await makeCertificates(folder, SECURE);
  await build({
    entryPoints: SUITES.map((name) => here(`${name}.ts`)),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    alias: { vitest: here("vitest.ts") },
    banner: { js: COMMONJS },
    logLevel: "error",
  });
  cpSync(here("../../src/store/migrations"), join(folder, "migrations"), { recursive: true });
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(sampled(RUNTIMES, 3))("under $name", ({ command: [program, ...args] }) => {
  const passes = async (suite: string, given: readonly string[], env: object): Promise<void> => {
    const { stdout } = await run(program, [...args, suite, ...given], {
      env: { ...INHERITED, NO_COLOR: "1", ...env },
    }).catch((error: { stdout: string; stderr: string }) => ({ stdout: error.stdout + error.stderr }));
    expect(stdout).toMatch(/^[1-9]\d* passed, 0 failed\n$/);
  };

  it("the store does all that stores must do", () => passes(suiteOf("store-suite"), [], {}));

  it("workflows run beside their engine", () => passes(suiteOf("one-process-suite"), [], {}));

  it("deliveries go out and come back alike, and past no policy, not even by a proxy", () => {
    const nobody = "http://127.0.0.1:1";
    const env = { NODE_USE_ENV_PROXY: "1", HTTP_PROXY: nobody, http_proxy: nobody, ALL_PROXY: nobody };
    return passes(suiteOf("wire-suite"), [], env);
  });

  it("certificates are checked against names", () => {
    const { authority, key, certificate } = certificates;
    return passes(suiteOf("tls-suite"), [SECURE, key, certificate], { NODE_EXTRA_CA_CERTS: authority });
  });
});
