import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { badOrder, goodOrder } from "@perdure/example-shared/orders";
import { Command, EXPECTED, place, startExample } from "@perdure/example-shared/testing";
import { describe, expect, it } from "vitest";

/** From 2026-08-04 on nodejs_compat is on by itself. */
const MODES = [
  { mode: "with nodejs_compat", flags: "" },
  { mode: "without nodejs_compat", flags: " --compatibility-date 2026-08-03" },
];

describe("the example for Cloudflare", () => {
  it.concurrent.each(MODES)("runs by its README, $mode", async ({ flags }) => {
    const example = await startExample(
      "cloudflare",
      (engine, folder) =>
        ` --port 0 --inspector-port 0 --persist-to '${folder}/kv' --var QSTASH_URL:${engine}${flags}`,
    );
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
