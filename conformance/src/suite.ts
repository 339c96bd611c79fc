import { afterAll, afterEach, beforeAll, beforeEach, describe, onTestFailed } from "vitest";
import { bytes } from "./checks/bytes.ts";
import { disconnects } from "./checks/disconnects.ts";
import { forged } from "./checks/forged.ts";
import { outcomes } from "./checks/outcomes.ts";
import { proxy } from "./checks/proxy.ts";
import { runs } from "./checks/runs.ts";
import { walk } from "./checks/walk.ts";
import { type Pair, type Server, type Start, type Traits, titleOf } from "./pair.ts";
import { Stand } from "./stand.ts";

export type { Pair, Server, Start, Traits };

/** All that a pair must pass, over real HTTP. To be called in a test file, once for each pair. */
export function conformance(pair: Pair, start: Start, traits: Traits = {}): void {
  describe(titleOf(pair), () => {
    let stand: Stand;
    let server: Server | undefined;
    beforeAll(async () => {
      stand = await Stand.start();
      server = await start(stand.env);
    });
    beforeEach(() => onTestFailed(() => console.log(`${titleOf(pair)} says:\n${server?.output?.()}`)));
    afterEach(() => stand.reset());
    afterAll(async () => {
      await server?.stop();
      await stand.stop();
    });
    const scene = () => {
      if (!server) throw new Error("The server hasn't been started.");
      return { url: server.url, stand, traits };
    };
    describe("the walk of a request", () => walk(scene));
    describe("an outcome", () => outcomes(scene));
    describe("a forged request", () => forged(scene));
    describe("the bytes", () => bytes(scene));
    describe("behind a proxy", () => proxy(scene));
    describe("the server", () => disconnects(scene));
    describe("with an engine", () => runs(scene));
  });
}
