import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { toNode } from "@perdure/adapters/node";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { createEngine, type Engine, type EngineOptions, ManualClock, type Store } from "@perdure/engine";
import { openStore } from "./stores.ts";

interface Parts {
  readonly engine: Engine;
  readonly store: Store;
  readonly clock: ManualClock;
  readonly server: Server;
}

/** An engine on real HTTP, whose clock is moved by hand. */
export class ClockedEngine {
  readonly url: string;
  readonly clock: ManualClock;
  readonly #engine: Engine;
  readonly #store: Store;
  readonly #server: Server;

  private constructor({ engine, store, clock, server }: Parts) {
    this.#engine = engine;
    this.#store = store;
    this.clock = clock;
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(limits: EngineOptions["limits"] = {}): Promise<ClockedEngine> {
    const { token, currentSigningKey: current, nextSigningKey: next } = DEV_CREDENTIALS;
    const clock = new ManualClock();
    const store = await openStore(":memory:", () => clock.now());
    const engine = createEngine({
      store,
      token,
      signingKeys: { current, next },
      clock,
      limits,
    });
    const server = createServer(toNode((request) => engine.fetch(request))).listen(0, "127.0.0.1");
    await once(server, "listening");
    engine.start();
    return new ClockedEngine({ engine, store, clock, server });
  }

  /** Works off what is due. */
  idle(): Promise<void> {
    return this.#engine.idle();
  }

  /** Moves on to the next whole minute, and works off what is due by then. */
  async nextMinute(): Promise<void> {
    this.clock.advance(60_000 - (this.clock.now() % 60_000));
    await this.idle();
  }

  async stop(): Promise<void> {
    await this.#engine.stop({ deadline: 0 });
    await this.#store.close();
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
