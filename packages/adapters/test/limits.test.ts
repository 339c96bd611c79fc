import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Handler, InlineOptions } from "@perdure/core";
import type { APIContext } from "astro";
import { describe, expect, it } from "vitest";
import { toAstro } from "../src/astro.ts";
import { toLambda } from "../src/aws-lambda.ts";
import { toBun } from "../src/bun.ts";
import { toH3 } from "../src/h3.ts";
import { toNext } from "../src/nextjs.ts";
import { toNextPages } from "../src/nextjs-pages.ts";
import { toReactRouter } from "../src/react-router.ts";
import { toSolidStart } from "../src/solid-start.ts";
import { toSvelteKit } from "../src/sveltekit.ts";
import { toTanStackStart } from "../src/tanstack-start.ts";

const request = () => new Request("https://app.test/wf", { method: "POST", body: "[]" });

/** Serves a handler, sends it a request, and returns the limits that the adapter has passed to it. */
async function limitsOf(serve: (handler: Handler) => unknown): Promise<InlineOptions | undefined> {
  let passed: InlineOptions | undefined;
  await serve(async (_request, _env, limits) => {
    passed = limits;
    return new Response("{}");
  });
  return passed;
}

async function overHttp(handler: Handler): Promise<void> {
  const { handler: route } = toNextPages(handler);
  const server = createServer((incoming, outgoing) => void route(incoming, outgoing));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: "[]" });
  server.close();
}

const event = {
  rawPath: "/wf",
  rawQueryString: "",
  headers: {},
  body: "[]",
  isBase64Encoded: false,
  requestContext: { domainName: "app.test", http: { method: "POST" } },
};

describe("an invocation begins no further step", () => {
  it.each<[string, (handler: Handler) => unknown]>([
    ["Astro", (handler) => toAstro(handler).POST({ request: request() } as APIContext)],
    ["h3", (handler) => toH3(handler).handler({ req: request(), context: {} })],
    ["Next.js", (handler) => toNext(handler).POST(request())],
    ["Next.js, pages router", overHttp],
    ["React Router", (handler) => toReactRouter(handler)({ request: request() })],
    ["SolidStart", (handler) => toSolidStart(handler).POST({ request: request() })],
    ["SvelteKit", (handler) => toSvelteKit(handler).POST({ request: request(), platform: undefined })],
    ["TanStack Start", (handler) => toTanStackStart(handler).POST({ request: request() })],
  ])("after 5 seconds with %s, whose routes are deployed as functions", async (_name, serve) => {
    expect(await limitsOf(serve)).toEqual({ maxDuration: "5s" });
  });

  it.each([
    [3000, 1.5],
    [60_000, 10],
    [-1, 0],
    [undefined, 10],
  ])("with %s ms left of a function of AWS Lambda after %s s", async (left, maxDuration) => {
    const context = left === undefined ? {} : { getRemainingTimeInMillis: () => left };
    expect(await limitsOf((handler) => toLambda(handler)(event, context))).toEqual({ maxDuration });
  });

  it("after core's default with a server of one's own", async () => {
    expect(await limitsOf((handler) => toBun(handler)(request()))).toBeUndefined();
  });
});
