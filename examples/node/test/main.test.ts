import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Command, commandsOf } from "@perdure/example-shared/testing";
import { INHERITED } from "@perdure/test-support/inherited";
import { describe, expect, it } from "vitest";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));

interface Ran {
  readonly code: number | null;
  readonly output: string;
}

/** Runs the main job; `meet` is told its output so far and may end it. */
function main(
  meet: (output: string, kill: (signal: NodeJS.Signals) => void) => void,
  env: Readonly<Record<string, string>> = { NO_COLOR: "1" },
): Promise<Ran> {
  const child = spawn(process.execPath, [MAIN], { env: { ...INHERITED, ...env } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
      meet(output, (signal) => child.kill(signal));
    });
  }
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, output })));
}

describe("the main job", () => {
  it("shows a run that succeeds, and one that fails, is rolled back, reaches the failure function and is resumed", async () => {
    const [, once = ""] = commandsOf("node");
    expect(once).toBe("npm start -- --once");
    const command = new Command(once);
    const code = await command.ended;
    const output = command.lines.join("\n");
    expect(output).toMatch(/✓ charge +attempt 1 +Run \d+ ms from \d+\.\d\d s/);
    expect(output).toMatch(/✓ ship +attempt 1 +Run \d+ ms from \d+\.\d\d s/);
    expect(output).toMatch(/■ run +RUN_SUCCESS/);
    expect(output).toContain('returned {"order":"1001","paid":"payment-4242","parcel":"parcel-1001"}');
    expect(output).toMatch(/✗ charge +attempt 1 +500: card 4000 0000 was declined/);
    expect(output).toMatch(/✗ charge +attempt 3/);
    expect(output).toMatch(/received {2}status 500, "card 4000 0000 was declined"/);
    expect(output).toMatch(/↩ reserve desk +attempt 1 +rollback done/);
    expect(output).toContain('"released":["1 desk"]');
    expect(output).toMatch(/In the dead letter queue\n {2}\S+ {2}status 500/);
    const [, resumed = ""] = output.split("the failed run is resumed");
    expect(resumed).toMatch(/✓ reserve desk +attempt 1/);
    expect(resumed).toMatch(/✓ charge +attempt 1/);
    expect(resumed).toContain('returned {"order":"1002","paid":"payment-0000","parcel":"parcel-1002"}');
    expect(code).toBe(0);
  });

  it("is what the README's other command runs", () => {
    expect(commandsOf("node")[0]).toBe("npm start");
  });

  it("stays up until it is told to stop, and leaves nothing behind", async () => {
    let told = false;
    const { code, output } = await main((sofar, kill) => {
      if (told || !sofar.includes("the workflow    examples")) return;
      told = true;
      kill("SIGINT");
    });
    expect(code).toBe(0);
    const [, engine] = /Perdure engine running at (\S+)/.exec(output) ?? [];
    const [, app] = /app running at (\S+)/.exec(output) ?? [];
    for (const url of [engine, app]) await expect(fetch(String(url))).rejects.toThrow();
  });

  it("starts where CI is set, and its processes colour their lines", async () => {
    let told = false;
    const { code, output } = await main(
      (sofar, kill) => {
        if (told || !sofar.includes("the workflow    examples")) return;
        told = true;
        kill("SIGINT");
      },
      { CI: "true" },
    );
    expect(code).toBe(0);
    expect(output).toContain("\u001b[");
    expect(output).toContain("An order that is fulfilled");
  });
});
