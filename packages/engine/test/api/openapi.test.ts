import { Validator } from "@seriousme/openapi-schema-validator";
import { beforeAll, describe, expect, it } from "vitest";
import type { OpenApi } from "../../src/http/document.ts";
import { describedApi, itemsOf } from "../described.ts";

let api: OpenApi;
beforeAll(async () => {
  api = await describedApi();
});

describe("the description of the API", () => {
  it("is there for everybody", () => {
    expect(api.openapi).toBe("3.1.0");
  });

  it("names each operation once, and every part of a path", () => {
    const ids = itemsOf(api).map(([, item]) => item.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [name, { parameters }] of itemsOf(api)) {
      const parts = [...name.matchAll(/\{(\w+)\}/g)].map(([, part]) => part);
      expect(parameters.filter((one) => one.in === "path").map((one) => one.name)).toEqual(parts);
    }
  });

  it("is OpenAPI", async () => {
    const { valid, errors } = await new Validator().validate({ ...api });
    expect(errors).toBeUndefined();
    expect(valid).toBe(true);
  });
});
