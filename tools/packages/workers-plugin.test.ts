import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pack, ROOT, run } from "@perdure/test-support/pack";
import { afterAll, beforeAll, expect, it, vi } from "vitest";

const MODULES = join(ROOT, "tools", "node_modules");
const folder = realpathSync(mkdtempSync(join(tmpdir(), "perdure-workers-")));

const FILES = {
  "package.json": `{ "private": true, "type": "module" }`,
  // An old date: the kit must not need what later ones add.
  "wrangler.jsonc": `{
    "name": "orders",
    "main": "worker.js",
    "compatibility_date": "2025-01-01",
    "compatibility_flags": ["nodejs_compat"],
    "kv_namespaces": [{ "binding": "PARCELS", "id": "parcels" }]
  }`,
  "vitest.config.js": `
    import { cloudflareTest } from "@cloudflare/vitest-plugin";
    import { defineConfig } from "vitest/config";

    export default defineConfig({
      plugins: [cloudflareTest({ wrangler: { configPath: "./wrangler.jsonc" } })],
      test: { testTimeout: 120_000 },
    });`,
  "worker.js": `
    import { serve } from "@perdure/adapters/cloudflare";
    import { env } from "cloudflare:workers";

    export const order = serve(async (context) => {
      const { id } = context.requestPayload;
      const charge = await context.run("charge", () => "charge-" + id);
      await context.sleep("wait for the van", "3d");
      await context.run("ship", () => env.PARCELS.put(id, charge));
      return charge;
    });

    export default order;`,
  "order.test.js": `
    import { env } from "cloudflare:workers";
    import { testEngine } from "@perdure/test";
    import { expect, it } from "vitest";
    import { order } from "./worker.js";

    const setUp = () => testEngine({ workflows: { "/order": order }, timeout: 60 });

    it("runs in workerd", () => {
      expect(navigator.userAgent).toBe("Cloudflare-Workers");
    });

    it("retries, sleeps, and writes to the worker's binding", async () => {
      const t = await setUp();
      const run = await t.trigger(order, { id: "7" });
      run.mock("charge", { error: new Error("declined"), times: 1 });
      await run.until({ step: "wait for the van" });
      expect(await env.PARCELS.get("7")).toBe(null);
      expect(await run.result()).toBe("charge-7");
      expect(await env.PARCELS.get("7")).toBe("charge-7");
      expect(run.timeline()).toBe([
        "+0 s            charge (Run) attempt 1: declined",
        '+12 s           charge (Run): "charge-7"',
        "+12 s           wait for the van (SleepFor) begins",
        "+3 d 12 s       wait for the van (SleepFor): done",
        "+3 d 12 s       ship (Run): done",
        '+3 d 12 s       RUN_SUCCESS: "charge-7"',
      ].join("\\n"));
      await t.close();
    });

    it("has the same result under faults", async () => {
      const t = await setUp();
      const { seeds } = await t.chaos(order, { id: "8" }, { seeds: 5 });
      expect(seeds).toBe(5);
      await t.close();
    });

    it("fails for an unused mock", async () => {
      const t = await setUp();
      const run = await t.trigger(order, { id: "9" });
      run.mock("shop", { result: 1 });
      await expect(run.result()).rejects.toThrow("used 0 of at least 1 times");
    });`,
};

beforeAll(async () => {
  for (const name of ["core", "adapters", "engine", "test"]) pack(name, folder);
  await mkdir(join(folder, "node_modules", "@cloudflare"));
  for (const name of ["vitest", "@cloudflare/vitest-plugin"])
    symlinkSync(realpathSync(join(MODULES, name)), join(folder, "node_modules", name));
  for (const [file, content] of Object.entries(FILES)) writeFileSync(join(folder, file), content);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

it("tests with the packed test kit run inside of workerd, by Cloudflare's plugin for vitest", () => {
  // The plugin must ask no server of Cloudflare.
  vi.stubEnv("CLOUDFLARE_CF_FETCH_ENABLED", "false");
  vi.stubEnv("WRANGLER_SEND_METRICS", "false");
  const output = run(process.execPath, [join(MODULES, "vitest", "vitest.mjs"), "run"], folder);
  expect(output).toContain("4 passed");
});
