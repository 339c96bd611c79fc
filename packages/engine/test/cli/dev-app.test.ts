import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { useDesk } from "./desk.ts";

const desk = useDesk();
const { dev } = desk;

/** Writes an app, and returns the command that runs it. */
function app(code: string): string[] {
  writeFileSync(join(desk.folder(), "app.mjs"), code);
  return ["--", process.execPath, "app.mjs", "an argument"];
}

const FOREVER = "setInterval(() => {}, 1000);";

describe("perdure dev -- <command>", () => {
  it("gives the app the engine's variables and its arguments, and ends with the app's exit code", async () => {
    const command = app(`
      const { PERDURE_URL, PERDURE_TOKEN, QSTASH_CURRENT_SIGNING_KEY, PERDURE_NEXT_SIGNING_KEY, QSTASH_DEV } = process.env;
      const headers = { Authorization: "Bearer " + PERDURE_TOKEN };
      const keys = await (await fetch(PERDURE_URL + "/v2/keys", { headers })).json();
      const same = keys.current === QSTASH_CURRENT_SIGNING_KEY && keys.next === PERDURE_NEXT_SIGNING_KEY;
      console.log("app", { same, QSTASH_DEV, argument: process.argv[2] });
      process.exitCode = 3;`);
    const one = dev(["--port", "0", ...command], { QSTASH_DEV: "1" });
    expect(await one.exit()).toBe(3);
    expect(one.said()).toContain(`app { same: true, QSTASH_DEV: undefined, argument: 'an argument' }`);
  });

  it("gives an address that the app can reach when the engine listens on all addresses", async () => {
    const command = app(`console.log("at", new URL(process.env.PERDURE_URL).hostname);`);
    const one = dev(["--port", "0", "--host", "0.0.0.0", "--token", "token-of-our-own", ...command]);
    expect(await one.exit()).toBe(0);
    expect(one.said()).toContain("at 127.0.0.1");
  });

  it.each(["SIGINT", "SIGTERM"] as const)("stops the app, then the engine, at %s", async (signal) => {
    const command = app(`
      process.on("${signal}", async () => {
        const { status } = await fetch(process.env.PERDURE_URL + "/v2/keys");
        console.log("the engine still answers", status);
        process.exit(0);
      });
      console.log("app is ready");
      ${FOREVER}`);
    const one = dev(["--port", "0", ...command]);
    await one.saying("app is ready");
    one.child.kill(signal);
    expect(await one.exit()).toBe(0);
    expect(one.said()).toContain("the engine still answers 401");
  });

  it("kills an app that ignores the first signal at the second", async () => {
    const one = dev([
      "--port",
      "0",
      ...app(`process.on("SIGTERM", () => console.log("ignored")); console.log("app is ready"); ${FOREVER}`),
    ]);
    await one.saying("app is ready");
    one.child.kill("SIGTERM");
    await one.saying("ignored");
    one.child.kill("SIGTERM");
    expect(await one.exit()).toBe(128 + 9);
    expect(one.said()).toContain("Stopping the app, then the engine. Once more to kill the app.");
  });

  it("says that a command can't be started, and ends with 127", async () => {
    const one = dev(["--port", "0", "--", "no-such-command"]);
    expect(await one.exit()).toBe(127);
    // The engine has just begun to count the runs in its database.
    expect(one.said()).not.toContain("✗");
    expect(one.said()).toContain(`"no-such-command" can't be started: no such command.`);
  });
});
