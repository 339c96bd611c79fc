import { Client } from "@perdure/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEngine, type Engine } from "../../src/index.ts";

let engine: Engine;
beforeAll(() => {
  engine = createEngine({ store: ":memory:", token: "t", signingKeys: { current: "a", next: "b" } });
});
afterAll(() => engine.stop());

describe("the baseUrl of engine.client", () => {
  it.each<unknown>(["engine.example.com", "ftp://engine.example.com", "/engine", "http://", "", null, 5])(
    "%j is refused",
    (baseUrl) => {
      const make = () => engine.client({ baseUrl } as never);
      expect(make).toThrow(TypeError);
      expect(make).toThrow(`baseUrl must be an http:// or https:// URL; got ${JSON.stringify(baseUrl)}.`);
    },
  );

  it.each([
    ["https://engine.example.com/", "https://engine.example.com"],
    ["https://engine.example.com/perdure/", "https://engine.example.com/perdure"],
    ["HTTPS://engine.example.com/perdure", "https://engine.example.com/perdure"],
    [undefined, "http://engine.invalid"],
  ])("%s becomes %s, and requests find the engine", async (given, known) => {
    const local = engine.client(given === undefined ? {} : { baseUrl: given });
    expect(local.http.baseUrl).toBe(known);
    const client = new Client(local);
    expect(await client.runs.get("wfr_none")).toBeUndefined();
    const wait = client.runs.wait("wfr_none", { timeout: "1s" });
    await expect(wait).rejects.toMatchObject({ code: "unknown_run" });
  });

  it.each([null, [], "https://engine.example.com"])("is in an object, not %j", (options) => {
    expect(() => engine.client(options as never)).toThrow("The options of client must be an object");
  });
});
