import { Validator } from "@seriousme/openapi-schema-validator";
import { beforeAll, describe, expect, it } from "vitest";
import { OPERATIONS, type OpenApi } from "../src/openapi/document.ts";
import { describedApi, itemsOf } from "./described.ts";
import { world } from "./harness.ts";

let api: OpenApi;
beforeAll(async () => {
  api = await describedApi();
});

describe("the description of the API", () => {
  it("is there for everybody, and complete", () => {
    expect(api.openapi).toBe("3.1.0");
    expect(api["x-undescribed"] ?? []).toEqual([]);
  });

  it("describes nothing that there isn't", () => {
    const served = new Set(itemsOf(api).map(([name]) => name));
    const described = Object.entries(OPERATIONS).flatMap(([route, operations]) => {
      const [verb = "", pattern = ""] = route.split(" ", 2);
      const path = pattern.replace(/:(\w+)/g, "{$1}").replace("*", "{destination}");
      return [operations].flat().map((operation) => `${verb} ${operation.path ?? path}`);
    });
    expect(described.filter((name) => !served.has(name))).toEqual([]);
  });

  it("names each operation once, and every part of a path", () => {
    const ids = itemsOf(api).map(([, item]) => item.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [name, { parameters }] of itemsOf(api)) {
      const parts = [...name.matchAll(/\{(\w+)\}/g)].map(([, part]) => part);
      expect(parameters.filter((one) => one.in === "path").map((one) => one.name)).toEqual(parts);
    }
  });

  it("knows every parameter that lists take", async () => {
    const w = world();
    const unknown: string[] = [];
    for (const [name, { parameters }] of itemsOf(api)) {
      const [verb = "", path = ""] = name.split(" ");
      for (const { name: parameter } of parameters.filter((one) => one.in === "query")) {
        const { status, body } = await w.ask(verb, `${path.replace(/\{\w+\}/g, "x")}?${parameter}=`);
        if (status === 400 && /there is no such filter/.test(body.error))
          unknown.push(`${name}?${parameter}`);
      }
    }
    expect(unknown).toEqual([]);
  });

  it("is OpenAPI", async () => {
    const { valid, errors } = await new Validator().validate({ ...api });
    expect(errors).toBeUndefined();
    expect(valid).toBe(true);
  });
});
