import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { toNode } from "@perdure/adapters/node";
import {
  Client,
  createWorkflow,
  type FailureFunctionParams,
  type RunLog,
  type ServeOptions,
  serveMany,
  type WorkflowContext,
  WorkflowNonRetryableError,
} from "@perdure/core";
import { DEV_CREDENTIALS, kindOf } from "@perdure/core/protocol";
import { createEngine, type Engine, fetchTransport, ManualClock, type Store } from "@perdure/engine";
import { MODE_OPTIONS } from "@perdure/test-support/mode";
import { environment } from "@perdure/test-support/process";
import { Gate } from "../support/lab.ts";
import { openStore } from "../support/stores.ts";
import { ask } from "../support/views.ts";

const APP = "https://app.test";
export const WORKFLOW = `${APP}/wf`;
export const PAYLOAD = { n: 1 };

/** Of each delivery, after the first attempt, however the run was started. */
export const RETRIES = 1;

/** A way to fail, and what the failure function is to be told of it. */
export interface Way {
  readonly workflow: (context: WorkflowContext) => unknown;
  readonly options?: ServeOptions;
  /** Stands in for the endpoint where the run's own deliveries are concerned; `undefined` lets one pass. */
  readonly answer?: (request: Request, world: World) => Response | Promise<Response> | undefined;
  readonly told: object;
  /** And what that of {@link CHILD} is to be told. */
  readonly toldOfChild?: object;
}

/** Served beside the workflow; always fails. */
export const CHILD = createWorkflow((context) =>
  context.run("work", () => Promise.reject(new WorkflowNonRetryableError("the child's own"))),
);

/** What a failure function is told; of the context, what can be looked at without being asked for. */
export type Told = Omit<FailureFunctionParams, "context"> & {
  readonly context: Pick<FailureFunctionParams["context"], "requestPayload" | "url" | "workflowRunId">;
};

export interface WorldOptions {
  /** Whether a POST of anybody's is let in. Otherwise deliveries must be signed. */
  readonly open?: boolean;
  /** What the failure function does, beside being told. */
  readonly onFailure?: (params: FailureFunctionParams) => unknown;
}

/** An engine on SQLite and an endpoint in one process, with a clock that is moved by hand. */
export class World {
  readonly clock: ManualClock = new ManualClock();
  /** What the failure function of the workflow was told, each time. */
  readonly told: Told[] = [];
  /** What those of other workflows were. */
  readonly toldOthers: Told[] = [];
  /** Of the requests that told it. */
  readonly bodies: string[] = [];
  /** When each of them came, in milliseconds. */
  readonly times: number[] = [];
  /** Requests to other hosts. */
  readonly elsewhere: { readonly headers: Headers; readonly body: string }[] = [];
  readonly client: Client;
  readonly url: string;
  readonly #way: Way;
  readonly #engine: Engine;
  readonly #server: Server;
  readonly #store: Store;
  #underWay = 0;
  #hold: (() => Promise<void>) | undefined;
  readonly #handler: (request: Request) => Promise<Response>;

  static async start(make: (world: () => World) => Way, options: WorldOptions = {}): Promise<World> {
    let world: World | undefined;
    const way = make(() => world as World);
    const { token, currentSigningKey: current, nextSigningKey: next } = DEV_CREDENTIALS;
    const clock = new ManualClock();
    const store = await openStore(":memory:");
    const engine = createEngine({
      store,
      clock,
      token,
      signingKeys: { current, next },
      transport: fetchTransport(1_000_000, async (request) => (world as World).receive(request)),
    });
    const server = createServer(toNode((request) => engine.fetch(request))).listen(0, "127.0.0.1");
    await once(server, "listening");
    world = new World(way, options, { clock, engine, server, store });
    engine.start();
    return world;
  }

  private constructor(
    way: Way,
    { open = false, onFailure = () => "noted" }: WorldOptions,
    { clock, engine, server, store }: { clock: ManualClock; engine: Engine; server: Server; store: Store },
  ) {
    this.clock = clock;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.client = new Client({ baseUrl: this.url, token: DEV_CREDENTIALS.token });
    this.#way = way;
    this.#engine = engine;
    this.#server = server;
    this.#store = store;
    const { QSTASH_URL = "", QSTASH_TOKEN = "", ...keys } = environment(this.url);
    const env = { QSTASH_URL, QSTASH_TOKEN, ...(open ? {} : keys) };
    const target = createWorkflow(way.workflow, { retries: RETRIES, ...way.options } as ServeOptions);
    const parent = createWorkflow(async (context) => {
      const settings = { workflow: target, body: PAYLOAD };
      if (context.requestPayload === "call") return context.call("child", settings);
      const { isFailed } = await context.invoke("child", { ...settings, retries: RETRIES });
      return { isFailed };
    });
    this.#handler = serveMany(
      { wf: target, child: CHILD, parent },
      {
        env,
        ...MODE_OPTIONS,
        ...(open ? { authorize: () => true } : {}),
        failureFunction: (params) => {
          const own = params.context.url === WORKFLOW;
          const { requestPayload, url, workflowRunId } = params.context;
          (own ? this.told : this.toldOthers).push({
            ...params,
            context: { requestPayload, url, workflowRunId },
          });
          return own ? onFailure(params) : undefined;
        },
      },
    ).handler;
  }

  /** Has requests to the endpoint wait. `arrived` resolves with the first one, and `release` lets them go on. */
  hold(): { readonly arrived: Promise<void>; readonly release: () => void } {
    const [arrived, released] = [new Gate(), new Gate()];
    this.#hold = () => {
      arrived.open();
      return released.passed;
    };
    const release = (): void => {
      this.#hold = undefined;
      released.open();
    };
    return { arrived: arrived.passed, release };
  }

  /** A request to the endpoint. */
  async receive(request: Request): Promise<Response> {
    await this.#hold?.();
    this.#underWay++;
    try {
      return await this.#answer(request);
    } finally {
      this.#underWay--;
    }
  }

  /** Waits until but one request is under way. */
  async alone(): Promise<void> {
    do await new Promise((resolve) => setTimeout(resolve, 5));
    while (this.#underWay > 1);
  }

  async #answer(request: Request): Promise<Response> {
    if (!request.url.startsWith(APP)) {
      this.elsewhere.push({ headers: request.headers, body: await request.text() });
      return new Response("thanks");
    }
    const kind = kindOf(request.headers);
    if (request.url === WORKFLOW && kind === "resume") {
      const answer = await this.#way.answer?.(request, this);
      if (answer) return answer;
    }
    if (request.url === WORKFLOW && kind === "failure") {
      this.times.push(this.clock.now());
      this.bodies.push(await request.clone().text());
    }
    return this.#handler(request);
  }

  /** Works off what is due now. */
  idle(): Promise<void> {
    return this.#engine.idle();
  }

  /** Lets time pass as fast as the engine has nothing else to do. */
  async drain(): Promise<void> {
    do await this.#engine.idle();
    while (this.clock.advanceToNext());
  }

  /** The latest run of the workflow. */
  async run(): Promise<RunLog | undefined> {
    return (await this.client.logs({ filter: { workflowUrl: WORKFLOW } })).runs[0];
  }

  ask<T>(path: string, init: RequestInit): Promise<T> {
    return ask<T>(this.url, path, init);
  }

  async stop(): Promise<void> {
    await this.#engine.stop({ deadline: 0 });
    this.#server.closeAllConnections();
    this.#server.close();
    await this.#store.close();
  }
}
