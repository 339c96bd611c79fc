import {
  type createWorkflow,
  type FailureFunctionParams,
  type Handler,
  type RunContext,
  type ServeOptions,
  type Workflow,
  type WorkflowContext,
  WorkflowNonRetryableError,
  WorkflowRetryAfterError,
} from "@perdure/core";

// What every app mounts, unchanged: nothing in here knows a framework or a runtime.

/** What an order is started with. */
export interface Order {
  readonly id: string;
  readonly card: string;
  readonly items: readonly { readonly sku: string; readonly price: number }[];
}

/** Fulfils an order: parallel steps, single ones, a sleep. A card that ends with 0000 is always declined, and a name of {@link ODD_THROWS} throws that. */
export async function fulfil(context: WorkflowContext<Order>): Promise<{ order: string; paid: number }> {
  const { id, card, items } = context.requestPayload;
  await tell(context, `order ${id} runs`);
  await Promise.all(items.map(({ sku }) => context.run(`reserve ${sku}`, () => `${sku} for ${id}`)));
  const paid = await context.run("charge", () => {
    if (card.endsWith("0000")) throw new Error(`card ${card} was declined`);
    const odd = ODD_THROWS[card];
    if (odd) throw odd.make();
    return items.reduce((sum, { price }) => sum + price, 0);
  });
  await context.sleepUntil("until the van has come", new Date(0));
  return { order: id, paid };
}

function fail(): never {
  throw new RangeError("a trap of user code");
}

/** A step may throw any value: how to make each, and the message by which everybody hears of it. */
export const ODD_THROWS: Readonly<Record<string, { readonly make: () => unknown; readonly says: RegExp }>> = {
  "an object with a cycle": {
    make: () => {
      const order: Record<string, unknown> = { code: "declined" };
      order.items = [{ order }];
      return Object.assign(order, { self: order });
    },
    says: /^{"code":"declined","items":"…","self":"…"}$/,
  },
  "an object with a bigint": {
    make: () => ({ row: { id: BigInt(17) } }),
    says: /^{"row":{"id":"17"}}$/,
  },
  "an object whose toString throws": { make: () => ({ code: 7, toString: fail }), says: /^{"code":7}$/ },
  "an object whose toJSON throws": {
    make: () => ({ code: 7, toJSON: fail }),
    says: /^a value that can't be read$/,
  },
  "an object whose getter throws": {
    make: () => Object.defineProperty({ code: 7 }, "own", { get: fail, enumerable: true }),
    says: /^a value that can't be read$/,
  },
  "an object without fields": { make: () => ({}), says: /^{}$/ },
  "an object that says itself what it is": {
    make: () => new Declined("expired"),
    says: /^declined: expired$/,
  },
  "an object without a prototype": {
    make: () => Object.assign(Object.create(null), { code: 7 }),
    says: /^{"code":7}$/,
  },
  "an empty object without a prototype": {
    make: () => Object.create(null),
    says: /^a value that can't be read$/,
  },
  "a proxy": { make: () => new Proxy({ code: 7 }, {}), says: /^{"code":7}$/ },
  "a proxy that refuses everything": {
    make: () =>
      new Proxy(
        {},
        { get: fail, getPrototypeOf: fail, has: fail, ownKeys: fail, getOwnPropertyDescriptor: fail },
      ),
    says: /^a value that can't be read$/,
  },
  "a proxy that is revoked": {
    make: () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
    says: /^a value that can't be read$/,
  },
  "an error whose message is an object with a cycle": {
    make: () => {
      const error = new Error("said");
      return Object.assign(error, { message: { code: 7, error: { error, self: { error } } } });
    },
    says: /^{"code":7,"error":/,
  },
  "an error whose message can't be read": {
    make: () => Object.defineProperty(new Error("said"), "message", { get: fail }),
    says: /^a value that can't be read$/,
  },
  "a symbol": { make: () => Symbol("declined"), says: /^Symbol\(declined\)$/ },
  "a function": { make: () => () => "card declined", says: /card declined/ },
  undefined: { make: () => undefined, says: /^undefined$/ },
  null: { make: () => null, says: /^null$/ },
};

class Declined {
  readonly #why: string;

  constructor(why: string) {
    this.#why = why;
  }

  toString(): string {
    return `declined: ${this.#why}`;
  }
}

/** Called when an order has failed for good. */
export async function undo({ context, failStatus, failResponse }: FailureFunctionParams<Order>) {
  await tell(context, `order ${context.requestPayload.id} is undone`);
  return { order: context.requestPayload.id, status: failStatus, reason: failResponse };
}

/** Of the route `order`. */
export const orderOptions: ServeOptions<Order> = { failureFunction: undo };

/** What {@link answer} is to do. */
export type Wish = "return" | "throw" | "stop" | "wait" | "environment" | "call" | "twenty steps";

/** Ends in every way that a workflow can end. */
export async function answer(context: WorkflowContext<{ readonly wish: Wish }>): Promise<unknown> {
  const { wish } = context.requestPayload;
  await tell(context, `answer ${wish} runs`);
  switch (wish) {
    case "return":
      return "without a step";
    case "throw":
      return context.run("100 % löst", () => {
        throw new TypeError("thrown by a step");
      });
    case "stop":
      throw new WorkflowNonRetryableError("not again");
    case "wait":
      throw new WorkflowRetryAfterError("later", "2m");
    case "environment":
      return context.run("environment", () => context.env.CONFORMANCE_WORD);
    case "twenty steps": {
      let sum = 0;
      for (let at = 1; at <= 20; at++) sum += await context.run(`step ${at}`, () => at);
      return sum;
    }
    case "call":
      return context.call("ask", { url: "http://127.0.0.1:9/nobody", method: "GET" });
    default:
      return wish satisfies never;
  }
}

/** Of the route `answer`: the hook turns away whoever sends `X-Conformance-Refuse`, in the way that it says. */
export const answerOptions: ServeOptions<{ readonly wish: Wish }> = {
  authorize: ({ headers }) => {
    const way = headers.get("X-Conformance-Refuse");
    if (way === "throw") throw new Error("what is wrong inside");
    return way === "truthy" ? ("yes" as unknown as boolean) : way === null;
  },
  bodyLimit: 64 * 1024,
};

/**
 * The two workflows of the route `many`: the second invokes the first. Each adapter brings its own `createWorkflow`.
 * They take a proxy's word for the public URL.
 */
export function many(make: typeof createWorkflow): Record<"double" | "quadruple", Workflow> {
  const options = { trustProxy: true };
  const double = make(
    (context: WorkflowContext<number>) => context.run("double", () => 2 * context.requestPayload),
    options,
  );
  const quadruple = make(async (context: WorkflowContext<number>) => {
    const { body } = await context.invoke("half of it", { workflow: double, body: context.requestPayload });
    return context.run("double again", () => 2 * (body as number));
  }, options);
  return { double, quadruple } as Record<"double" | "quadruple", Workflow>;
}

/**
 * The route `echo`, which is a handler and no workflow. It answers a request with what it has seen of it: the bytes as
 * the body, the method and the URL in headers. With `?repeat=N` the body is N times as long, and comes in pieces.
 */
export const echo: Handler = async (request) => {
  const bytes = new Uint8Array(await request.arrayBuffer());
  const repeat = Number(new URL(request.url).searchParams.get("repeat") ?? 1);
  const headers = {
    "Content-Type": "application/octet-stream",
    "X-Method": request.method,
    "X-Url": request.url,
    "X-Sent": request.headers.get("X-Sent") ?? "",
  };
  let left = repeat;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (left-- > 0) controller.enqueue(bytes.slice());
      else controller.close();
    },
  });
  return new Response(repeat === 1 ? bytes : body, { status: 201, headers });
};

/** Tells the suite that user code is running, where the suite listens for it. */
async function tell({ env }: Pick<RunContext, "env">, what: string): Promise<void> {
  const witness = env.CONFORMANCE_WITNESS;
  if (witness) await fetch(witness, { method: "POST", body: what });
}
