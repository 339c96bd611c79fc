import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { badOrder, goodOrder } from "@perdure/example-shared/orders";
import { Command, EXPECTED, place, startBoth, startExample } from "@perdure/example-shared/testing";
import { describe, expect, it } from "vitest";

const ROOT = new URL("../../../", import.meta.url);

/** Ports of its own, nothing that stays, and the engine of the test. */
const local = (engine: string, folder: string) =>
  ` --var PERDURE_URL:${engine} --port 0 --inspector-port 0 --persist-to '${folder}/kv'`;

/** From the day after on it is on by itself. */
const WITHOUT_NODEJS_COMPAT = "--compatibility-date 2026-08-03";

describe("the example for Cloudflare", () => {
  it.concurrent("runs by its README", async () => {
    const example = await startExample("cloudflare", local);
    try {
      const { url } = example;
      expect((await fetch(`${url}/undone/1002`)).status).toBe(404);
      const [good, bad] = await Promise.all([place(url, goodOrder), place(url, badOrder)]);
      expect(good).toMatchObject(EXPECTED.good);
      expect(bad).toMatchObject(EXPECTED.bad);
      const undone = await fetch(`${url}/undone/1002`);
      expect(await undone.json()).toMatchObject({ order: "1002", released: ["1 desk"], status: 500 });
    } finally {
      await example.stop();
    }
  });

  it.concurrent("runs without nodejs_compat as well, as short as its quickstart", async () => {
    const page = readFileSync(new URL("docs/quickstarts/cloudflare.md", ROOT), "utf8");
    const [, code = ""] = /^```ts\n([\s\S]*?)^```$/m.exec(page) ?? [];
    // Where it finds the packages, and nobody looks.
    const file = new URL("examples/cloudflare/.wrangler/quickstart.ts", ROOT);
    mkdirSync(new URL(".", file), { recursive: true });
    writeFileSync(file, code);
    const example = await startBoth(
      "npm run perdure -- dev",
      "npm run example -- cloudflare",
      (...args) => `${local(...args)} ${WITHOUT_NODEJS_COMPAT} '${fileURLToPath(file)}'`,
    );
    try {
      const answer = await fetch(example.url);
      expect(await answer.json()).toEqual({ state: "RUN_SUCCESS", result: "mail to Ada" });
    } finally {
      await example.stop();
    }
  });

  it.concurrent("could be deployed", async () => {
    const folder = mkdtempSync(join(tmpdir(), "perdure-worker-"));
    try {
      const command = new Command(
        `npm run deploy --prefix examples/cloudflare -- --dry-run --outdir '${folder}'`,
      );
      await command.line(/--dry-run: exiting now/);
      expect(await command.ended).toBe(0);
      expect(readFileSync(join(folder, "worker.js"), "utf8")).not.toMatch(/from "node:/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
