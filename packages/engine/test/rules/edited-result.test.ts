import type { StepRecord } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { fromBase64, toBase64, toBytes, toText } from "../../src/rules/bytes.ts";
import { withResult } from "../../src/rules/edited-result.ts";

const encoded = (text: string): string => toBase64(toBytes(text));
const decoded = (base64 = ""): string => toText(fromBase64(base64));
const record = (fields: Partial<StepRecord>): StepRecord => ({
  ...{ stepId: 1, stepName: "step", stepType: "Run", concurrent: 1 },
  ...fields,
});

describe("the result that a person sets", () => {
  it("replaces that of a step, and its failure", () => {
    const failure = { attempts: 1, error: { error: "Error", message: "no" } };
    expect(withResult(record({ failure }), "7")).toEqual(record({ out: "7" }));
  });

  it("is the data of an event that was waited for", () => {
    const changed = withResult(record({ stepType: "Wait", waitTimeout: true }), '{"a":1}');
    expect(changed).toEqual(record({ stepType: "Wait", out: encoded('{"a":1}') }));
  });

  it("is the body of a webhook's request, whose other parts stay", () => {
    const hit = {
      method: "PUT",
      header: { "X-A": ["1"] },
      body: encoded("old"),
      proto: "https",
      host: "h",
      url: "/u",
    };
    const { out } = withResult(
      record({ stepType: "WaitForWebhook", out: encoded(JSON.stringify(hit)) }),
      "8",
    );
    expect(JSON.parse(decoded(out))).toEqual({ ...hit, body: encoded("8") });
  });

  it.each([undefined, "", "no base64!", encoded("no JSON"), encoded("7"), encoded("null")])(
    "is the body of a new request where %j is on record for a webhook",
    (out) => {
      const changed = withResult(
        record({ stepType: "WaitForWebhook", ...(out === undefined ? {} : { out }) }),
        "8",
      );
      expect(JSON.parse(decoded(changed.out))).toMatchObject({ method: "POST", body: encoded("8") });
    },
  );
});
