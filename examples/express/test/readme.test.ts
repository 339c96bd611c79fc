import { badOrder, goodOrder } from "@perdure/example-shared/orders";
import { EXPECTED, type Example, place, startExample } from "@perdure/example-shared/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

describe("the example for Express", () => {
  let example: Example;
  beforeAll(async () => {
    example = await startExample("express");
  });
  afterAll(() => example?.stop());

  it.concurrent("fulfils an order", async () => {
    expect(await place(example.url, goodOrder)).toMatchObject(EXPECTED.good);
  });

  it.concurrent("undoes one whose card is declined", async () => {
    expect(await place(example.url, badOrder)).toMatchObject(EXPECTED.bad);
    await example.app.line(/undone: .*"released":\["1 desk"\]/);
  });
});
