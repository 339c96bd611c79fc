import { existsSync } from "node:fs";
import { join } from "node:path";
import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import {
  createServer,
  type EngineServer,
  fetchTransport,
  openSqlite,
  type ServerOptions,
  type Tenant,
  type TenantServer,
} from "../../src/index.ts";
import { useMachine } from "../crashing.ts";
import { APP, ofRun, ok, result } from "../harness.ts";

const machine = useMachine();

const tenant = (user: string, more: Partial<Tenant> = {}): Tenant => ({
  user,
  token: `${user}-token`,
  readOnlyTokens: [`${user}-look`],
  signingKeys: { current: `sig_${user}1`, next: `sig_${user}2` },
  store: ":memory:",
  ...more,
});

interface Answer {
  readonly status: number;
  readonly body: ReturnType<typeof JSON.parse>;
}

async function ask(
  server: EngineServer,
  token: string | undefined,
  method: string,
  path: string,
  init: RequestInit = {},
): Promise<Answer> {
  const headers = new Headers(init.headers);
  if (token !== undefined) headers.set("Authorization", `Bearer ${token}`);
  const response = await server.fetch(new Request(`http://engine.test${path}`, { ...init, method, headers }));
  return { status: response.status, body: JSON.parse(await response.text()) };
}

function serverOf(
  tenants: readonly Tenant[],
  more: Partial<ServerOptions> = {},
): { server: TenantServer; calls: Request[]; told: string[] } {
  const calls: Request[] = [];
  const told: string[] = [];
  const server = createServer({
    tenants,
    clock: machine().clock,
    transport: fetchTransport(1000, async (request) => {
      calls.push(request);
      return ok();
    }),
    onEvent: (event, user) => void told.push(`${user} ${event.type}`),
    ...more,
  });
  server.start();
  return { server, calls, told };
}

const LATER = { headers: { [HEADER.delay]: "1d" } };

describe("a server of several users", () => {
  it("has the API of each user's engine as methods", async () => {
    const { server } = serverOf([tenant("ann"), tenant("bob")]);
    const { messageId } = await server.engineOf("ann").publish({ url: "https://a.test/", delay: "1d" });
    expect(await server.engineOf("ann").messages.get(messageId)).toMatchObject({ url: "https://a.test/" });
    await expect(server.engineOf("bob").messages.get(messageId)).rejects.toMatchObject({ code: "not_found" });
    expect(() => server.engineOf("eve")).toThrow('The server has no user "eve".');
    await server.stop();
  });

  it("gives each of them data of their own", async () => {
    const { server, told } = serverOf([tenant("ann"), tenant("bob")]);
    const { body } = await ask(server, "ann-token", "POST", "/v2/publish/https://a.test/", LATER);
    const path = `/v2/messages/${body.messageId}`;
    expect(await ask(server, "ann-token", "GET", path)).toMatchObject({ status: 200 });
    expect(await ask(server, "ann-look", "GET", path)).toMatchObject({ status: 200 });
    expect(await ask(server, "bob-token", "GET", path)).toMatchObject({ status: 404 });
    expect(await ask(server, "bob-token", "DELETE", path)).toMatchObject({ status: 404 });
    for (const token of ["ann-token", "bob-token"]) {
      // The same id for each, without a clash.
      const headers = ofRun("wfr_1", "true");
      expect(await ask(server, token, "POST", `/v2/publish/${APP}`, { headers, body: token })).toMatchObject({
        status: 200,
      });
    }
    await server.idle();
    expect(told).toEqual(expect.arrayContaining(["ann run.started", "bob run.started"]));
    expect((await ask(server, "bob-token", "GET", "/v2/workflows/logs")).body.runs).toHaveLength(1);
  });

  it("signs with the keys of whose message it is, and rotates only those", async () => {
    const { server } = serverOf([tenant("ann"), tenant("bob")]);
    expect((await ask(server, "ann-token", "POST", "/v2/keys/rotate")).body.current).toBe("sig_ann2");
    expect((await ask(server, "bob-token", "GET", "/v2/keys")).body).toEqual({
      current: "sig_bob1",
      next: "sig_bob2",
    });
  });

  it("lets nobody in whom it doesn't know, wherever the token is", async () => {
    const { server } = serverOf([tenant("ann"), tenant("bob")]);
    for (const token of ["", "ann", "ann-token bob-token", "ann-token,", undefined]) {
      expect(await ask(server, token, "GET", "/v2/dlq")).toMatchObject({ status: 401 });
    }
    expect(await ask(server, undefined, "GET", "/v2/dlq?qstash_token=bob-token")).toMatchObject({
      status: 200,
    });
    expect(await ask(server, undefined, "GET", "/v2/dlq?qstash_token=x")).toMatchObject({ status: 401 });
    expect(await ask(server, "bob-look", "DELETE", "/v2/dlq")).toMatchObject({ status: 403 });
  });

  it("brings a webhook to the user in its address", async () => {
    const { server } = serverOf([tenant("ann"), tenant("b/ob")]);
    const waitFor = async (token: string): Promise<void> => {
      // The run is under way for as long as nothing of it is delivered.
      const headers = { ...ofRun("wfr_1", "false"), ...LATER.headers };
      const start = { ...ofRun("wfr_1", "true"), ...LATER.headers };
      await ask(server, token, "POST", `/v2/publish/${APP}`, { headers: start });
      const step = result(1, {
        stepType: "CreateWebhook",
        out: JSON.stringify({ eventId: "e", webhookUrl: `http://engine.test/v2/workflows/hooks/u/wfr_1/e` }),
      });
      await ask(server, token, "POST", `/v2/publish/${APP}`, { headers, body: JSON.stringify(step) });
    };
    await waitFor("b/ob-token");
    const hook = (user: string) => ask(server, undefined, "POST", `/v2/workflows/hooks/${user}/wfr_1/e`);
    expect(await hook("ann")).toMatchObject({ status: 404 });
    expect(await hook("eve")).toMatchObject({ status: 404, body: { error: "there is no such webhook" } });
    expect(await hook("b%2Fob")).toMatchObject({ status: 200 });
  });

  it("makes the database of who never comes only when somebody is there, and opens the others", async () => {
    const file = (user: string): string => join(machine().folder, `${user}.db`);
    const lazy = (user: string): Tenant => tenant(user, { store: file(user), lazy: true });
    const first = serverOf([tenant("ann", { store: file("ann") }), lazy("bob"), lazy("eve")]);
    expect(["ann", "bob", "eve"].map((user) => existsSync(file(user)))).toEqual([true, false, false]);
    await ask(first.server, undefined, "POST", "/v2/workflows/hooks/bob/wfr_1/e");
    await ask(first.server, "nobody", "GET", "/v2/dlq");
    expect(existsSync(file("bob"))).toBe(false);
    await ask(first.server, "bob-token", "POST", "/v2/publish/https://a.test/", LATER);
    expect(existsSync(file("bob"))).toBe(true);
    await first.server.stop({ deadline: 0 });
    machine().clock.advance(86_400_000);
    // What waits there is delivered without anybody coming.
    const second = serverOf([tenant("ann", { store: file("ann") }), lazy("bob"), lazy("eve")]);
    await second.server.idle();
    expect(second.calls.map(({ url }) => url)).toEqual(["https://a.test/"]);
    expect(existsSync(file("eve"))).toBe(false);
    await second.server.stop({ deadline: 0 });
  });

  it("delivers for who comes first after the start, and for nobody after the end", async () => {
    const { server, calls } = serverOf([tenant("ann"), tenant("bob")]);
    await ask(server, "bob-token", "POST", "/v2/publish/https://a.test/1");
    await server.idle();
    await server.stop({ deadline: 0 });
    expect(calls).toHaveLength(1);
  });

  it("closes no store that isn't its own", async () => {
    const store = openSqlite(":memory:");
    const { server } = serverOf([tenant("ann", { store })]);
    await server.stop({ deadline: 0 });
    expect(await store.setting("x")).toBeUndefined();
    await store.close();
  });

  it("needs users that can be told apart", () => {
    expect(() => serverOf([])).toThrow(TypeError);
    expect(() => serverOf([tenant("ann"), tenant("ann", { token: "x", readOnlyTokens: [] })])).toThrow(
      "the name ann",
    );
    expect(() => serverOf([tenant("ann"), tenant("bob", { token: ["y", "ann-look"] })])).toThrow(
      "the same token",
    );
  });
});

describe("the bodies in flight of several users", () => {
  /** A body that announces its size, and whose rest comes when it is let go. */
  function slowBody(bytes: number): { readonly init: RequestInit; readonly finish: () => void } {
    let finish = (): void => {};
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new Uint8Array(bytes));
        finish = () => controller.close();
      },
      // Its request was refused: nobody reads the rest.
      cancel() {
        finish = () => {};
      },
    });
    return { init: { body, duplex: "half" } as RequestInit, finish: () => finish() };
  }

  it.each([
    ["another user's", "bob"],
    ["their own", "ann"],
  ])("share one bound: a request finds no room beside %s", async (_whose, other) => {
    const { server } = serverOf([tenant("ann"), tenant("bob")], {
      limits: { inFlightBytes: 150_000, requestBytes: 100_000 },
    });
    const publish = "/v2/publish/https://app.test/";
    const slow = slowBody(100_000);
    const first = ask(server, "ann-token", "POST", publish, slow.init);
    await expect
      .poll(
        async () =>
          (await ask(server, `${other}-token`, "POST", publish, { body: "x".repeat(90_000) })).status,
      )
      .toBe(503);
    // What fits is taken meanwhile, and all of it when the first has been answered.
    expect((await ask(server, `${other}-token`, "POST", publish, { body: "x" })).status).toBe(200);
    slow.finish();
    expect((await first).status).toBe(200);
    const after = await ask(server, `${other}-token`, "POST", publish, { body: "x".repeat(90_000) });
    expect(after.status).toBe(200);
    await server.stop();
  });

  it("are bounded together where many users send at once", async () => {
    const users = Array.from({ length: 8 }, (_, at) => `user${at}`);
    const { server } = serverOf(
      users.map((user) => tenant(user)),
      { limits: { inFlightBytes: 300_000, requestBytes: 100_000 } },
    );
    const slow = users.map(() => slowBody(90_000));
    const asked = users.map((user, at) =>
      ask(server, `${user}-token`, "POST", "/v2/publish/https://app.test/", slow[at]?.init),
    );
    const statuses: number[] = [];
    for (const one of asked) void one.then(({ status }) => statuses.push(status));
    await expect.poll(() => statuses.length).toBe(5);
    expect(statuses).toEqual([503, 503, 503, 503, 503]);
    for (const { finish } of slow) finish();
    await Promise.all(asked);
    expect(statuses.filter((status) => status === 200)).toHaveLength(3);
    await server.stop();
  });
});
