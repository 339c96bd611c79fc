import { describe, expect, it } from "vitest";
import { type DeliveryPolicy, NO_POLICY, overlay, policyOf } from "../../src/rules/delivery-policy.ts";

const FLOW = { key: "k", parallelism: 1, rate: undefined, period: 1000 };
const BASE: DeliveryPolicy = {
  retries: 1,
  retryDelay: "1000",
  timeout: 2,
  flow: FLOW,
  labels: ["base"],
  redact: { body: true, headers: [] },
};
/** One value of each option, among them the ones that count as false. */
const OVER: { readonly [Name in keyof DeliveryPolicy]: NonNullable<DeliveryPolicy[Name]> } = {
  retries: 0,
  retryDelay: "",
  timeout: 0,
  flow: { ...FLOW, key: "other" },
  labels: ["over"],
  redact: { body: false, headers: [] },
};

describe("a delivery policy over another one", () => {
  it("changes nothing where it says nothing, and is the whole of it over nothing", () => {
    expect(overlay(BASE, NO_POLICY)).toEqual(BASE);
    expect(overlay(NO_POLICY, BASE)).toEqual(BASE);
  });

  it.each(Object.entries(OVER))("wins by its %s alone", (name, value) => {
    expect(overlay(BASE, { ...NO_POLICY, [name]: value })).toEqual({ ...BASE, [name]: value });
  });

  it("is taken from something with other fields", () => {
    const message = { ...BASE, id: "msg_1", url: "https://app.test" };
    expect(policyOf(message)).toEqual(BASE);
  });
});
