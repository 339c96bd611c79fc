import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { serve as listen } from "@hono/node-server";
import { Client, type RunLog, type ServeOptions, serve, type WorkflowFunction } from "@perdure/core";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { createEngine, type Engine, fetchTransport, ManualClock } from "@perdure/engine";
import { MODE_OPTIONS } from "@perdure/test-support/mode";
import { environment, temporaryFolder } from "@perdure/test-support/process";
import { deleteStore, openStore, Watched } from "./stores.ts";

type Handler = (request: Request) => Response | Promise<Response>;

/** An engine on a file and the endpoints that it delivers to, in this process, with a clock that is moved by hand. */
export class Lab {
  readonly clock: ManualClock = new ManualClock();
  client!: Client;
  url!: string;
  /** Carries the requests to the engine: a test may lose them, repeat them, or do something in between. */
  network: (request: Request, send: (request: Request) => Promise<Response>) => Promise<Response> = (
    request,
    send,
  ) => send(request);
  readonly #handlers = new Map<string, Handler>();
  readonly #folder: ReturnType<typeof temporaryFolder>;
  readonly #api: Server;
  #store!: Watched;
  #engine!: Engine;

  private constructor(folder: ReturnType<typeof temporaryFolder>) {
    this.#folder = folder;
    const fetch = (request: Request) => this.network(request, async (sent) => this.#engine.fetch(sent));
    this.#api = listen({ fetch, hostname: "127.0.0.1", port: 0, overrideGlobalObjects: false }) as Server;
  }

  static async start(): Promise<Lab> {
    const lab = new Lab(temporaryFolder());
    await lab.#boot();
    if (!lab.#api.listening) await new Promise((resolve) => lab.#api.once("listening", resolve));
    lab.url = `http://127.0.0.1:${(lab.#api.address() as AddressInfo).port}`;
    lab.client = new Client({ baseUrl: lab.url, token: DEV_CREDENTIALS.token });
    return lab;
  }

  async #boot(): Promise<void> {
    const { token, currentSigningKey: current, nextSigningKey: next } = DEV_CREDENTIALS;
    this.#store = new Watched(await openStore(this.file));
    this.#engine = createEngine({
      store: this.#store.store,
      clock: this.clock,
      token,
      signingKeys: { current, next },
      // It would begin a thread for each engine.
      search: false,
      transport: fetchTransport(1_000_000, async (request) => {
        const handler = this.#handlers.get(new URL(request.url).pathname);
        return handler ? handler(request) : new Response("nothing here", { status: 404 });
      }),
    });
    this.#engine.start();
  }

  /** The engine's database. */
  get file(): string {
    return join(this.#folder.path, "engine.db");
  }

  /** The engine dies, with all it was doing, and another one takes up what it has stored. */
  async crash(): Promise<void> {
    void this.#engine.stop({ deadline: 0 });
    await this.#store.store.close();
    await this.#boot();
  }

  /** @returns the URL at which `handler` answers from now on */
  at(path: string, handler: Handler): string {
    this.#handlers.set(path, handler);
    return `https://app.test${path}`;
  }

  /** @returns the URL at which the workflow is served */
  serve(workflow: WorkflowFunction, options: ServeOptions = {}, path = "/wf"): string {
    return this.at(path, this.handlerOf(workflow, options));
  }

  handlerOf(workflow: WorkflowFunction, options: ServeOptions = {}): (request: Request) => Promise<Response> {
    return serve(workflow, { env: environment(this.url), ...MODE_OPTIONS, ...options }).handler;
  }

  /** Works off what is due now. */
  idle(): Promise<void> {
    return this.#engine.idle();
  }

  /** Lets time pass as fast as there is nothing else to do, until nothing is left. */
  async drain(): Promise<void> {
    do await this.idle();
    while (this.clock.advanceToNext());
  }

  /**
   * Lets ten seconds pass while deliveries are under way. The store has done what the engine asked for by then: without that,
   * leases would run out that the engine is just renewing.
   */
  async beat(): Promise<void> {
    this.clock.advance(10_000);
    await this.#store.quiet();
  }

  ask(method: string, path: string, body: string | null = null): Promise<Response> {
    const headers = { Authorization: `Bearer ${DEV_CREDENTIALS.token}` };
    return fetch(this.url + path, { method, headers, body });
  }

  /** Has a failure function not called any more. */
  cancelReport(dlqId: string): Promise<Response> {
    return this.ask("DELETE", `/v2/workflows/dlq/callback/${dlqId}`);
  }

  async run(workflowRunId: string): Promise<RunLog> {
    const run = await this.client.runs.get(workflowRunId);
    if (!run) throw new Error(`There is no run ${workflowRunId}.`);
    return run;
  }

  async stop(): Promise<void> {
    await this.#engine.stop({ deadline: 0 });
    await this.#store.store.close();
    this.#api.closeAllConnections();
    this.#api.close();
    deleteStore(this.file);
    this.#folder.remove();
  }
}

/** Milliseconds, less than a test may take: on a busy machine, other threads take as long as they like. */
const PATIENCE_MS = 200_000;

/** Lets everything else go on until something has come about, without waiting in real time. */
export async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > end) throw new Error("It didn't come about.");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Something that is waited for until it is opened. */
export class Gate {
  readonly passed: Promise<void>;
  open!: () => void;
  constructor() {
    this.passed = new Promise((resolve) => {
      this.open = resolve;
    });
  }
}
