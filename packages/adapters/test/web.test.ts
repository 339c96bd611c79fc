import type { APIContext } from "astro";
import { describe, expect, it } from "vitest";
import * as astro from "../src/astro.ts";
import * as bun from "../src/bun.ts";
import * as cloudflare from "../src/cloudflare.ts";
import * as nextjs from "../src/nextjs.ts";
import * as reactRouter from "../src/react-router.ts";
import * as solidStart from "../src/solid-start.ts";
import * as sveltekit from "../src/sveltekit.ts";
import * as tanstackStart from "../src/tanstack-start.ts";
import { reasonOf } from "./support/refusal.ts";

/** What frameworks hand over beside the request must not become the environment. */
const others = { params: {}, context: {}, locals: {}, server: {}, env: { NODE_ENV: "test" } };

interface Sugar<Mounted> {
  readonly serve: (workflow: () => unknown, options: object) => Mounted;
  readonly serveMany: (workflows: Record<string, never>) => Mounted;
}

type Call = (request: Request) => Promise<Response>;

function through<Mounted>({ serve, serveMany }: Sugar<Mounted>, call: (mounted: Mounted) => Call) {
  return {
    serve: (workflow: () => unknown, options: object) => call(serve(workflow, options)),
    serveMany: () => call(serveMany({})),
  };
}

const adapters = {
  nextjs: through(
    nextjs,
    ({ POST }) =>
      (request) =>
        Reflect.apply(POST, undefined, [request, others]),
  ),
  bun: through(bun, (route) => (request) => Reflect.apply(route, undefined, [request, others])),
  "react-router": through(reactRouter, (action) => (request) => action({ ...others, request })),
  "solid-start": through(
    solidStart,
    ({ POST }) =>
      (request) =>
        POST({ ...others, request }),
  ),
  "tanstack-start": through(
    tanstackStart,
    ({ POST }) =>
      (request) =>
        POST({ ...others, request }),
  ),
  sveltekit: through(
    sveltekit,
    ({ POST }) =>
      (request) =>
        POST({ ...others, request, platform: others }),
  ),
  cloudflare: through(
    cloudflare,
    ({ fetch }) =>
      (request) =>
        fetch(request, others.env),
  ),
  "cloudflare, on Pages": through(
    cloudflare,
    ({ fetch }) =>
      (request) =>
        fetch({ ...others, request }),
  ),
  astro: through(astro as Sugar<{ POST: (context: APIContext) => Promise<Response> }>, ({ POST }) => {
    return (request) => POST({ ...others, request } as unknown as APIContext);
  }),
};

const deliver = (headers: Record<string, string> = {}) =>
  new Request("https://app.example.com/order?a=%20b", { method: "POST", body: '{ "a":1.0 }', headers });

describe.each(Object.entries(adapters))("%s", (_name, { serve, serveMany }) => {
  it("hands over the request as it is", async () => {
    const asked: unknown[] = [];
    const authorize = ({ url, body }: { url: string; body: string }) => {
      asked.push(url, body);
      return false;
    };
    const response = await serve(() => 1, { authorize })(deliver());
    expect(response.status).toBe(403);
    expect(asked).toEqual(["https://app.example.com/order?a=%20b", '{ "a":1.0 }']);
  });

  it("takes no environment from what isn't one", async () => {
    const ask = () => serve(() => 1, {})(deliver());
    expect(await reasonOf(ask)).toContain("checks nothing");
  });

  it("serves several workflows", async () => {
    expect((await serveMany()(deliver())).status).toBe(404);
  });

  it("refuses options that can't be obeyed at once", () => {
    expect(() => serve(() => 1, { retries: -1 })).toThrow(TypeError);
  });

  it("refuses an address that can't be one when it is called, because a build has no environment", async () => {
    const response = await serve(() => 1, { url: "nowhere", authorize: () => true })(deliver());
    expect(response.status).toBe(500);
  });
});

const KEYS = { QSTASH_CURRENT_SIGNING_KEY: "a", QSTASH_NEXT_SIGNING_KEY: "b" };

describe("the environment", () => {
  it("of a Worker is its bindings", async () => {
    const { fetch } = cloudflare.serve(() => 1);
    expect(await reasonOf(() => fetch(deliver(), KEYS))).toContain("no signature");
    expect(await reasonOf(() => fetch({ request: deliver(), env: KEYS }))).toContain("no signature");
  });

  it("of SvelteKit on a Worker is the platform's", async () => {
    const { POST } = sveltekit.serve(() => 1);
    const ask = () => POST({ request: deliver(), platform: { env: KEYS } });
    expect(await reasonOf(ask)).toContain("no signature");
  });
});
