import { answered, failed, ofCall, resume, signed } from "../support/deliveries.ts";
import { type Scenario, topic } from "../support/scenario.ts";
import { type Context, UNCHECKED } from "../support/sdks.ts";

const KEYS = { QSTASH_CURRENT_SIGNING_KEY: "sig_current", QSTASH_NEXT_SIGNING_KEY: "sig_next" };
const workflow = (context: Context) => context.run("one", () => 1);

const guarded = (delivery: NonNullable<Scenario["deliveries"]>[number]): Omit<Scenario, "name"> => ({
  workflow,
  options: () => ({ env: KEYS, failureFunction: () => "done" }),
  deliveries: [delivery],
});

const current = { key: "sig_current" };
const start = { headers: { "Content-Type": "application/json" }, body: "{}" };
const callback = { headers: ofCall(1, "one"), body: answered({ status: 200, body: "{}" }) };
const boom = failed('{"error":"Error","message":"own: boom","stack":"at own"}');

export const signatures = topic("signature", {
  "by the current key": guarded(signed(resume(), current)),
  "by the next key": guarded(signed(resume(), { key: "sig_next" })),
  "by another key": guarded(signed(resume(), { key: "sig_other" })),
  "that isn't there": guarded(resume()),
  "that isn't one": guarded({ ...resume(), headers: { ...resume().headers, "Upstash-Signature": "x" } }),
  "over another body": guarded(signed(resume(), { ...current, body: "[]" })),
  "for another URL": guarded(signed(resume(), { ...current, url: "https://app.example.com/other" })),
  "for another host": guarded(signed(resume(), { ...current, url: "https://internal.example.com/api/wf" })),
  "of a start": guarded(signed(start, current)),
  "of a start that isn't there": guarded(start),
  "of an answer to a call": guarded(signed(callback, current)),
  "of an answer to a call that isn't there": guarded(callback),
  "of a failure": guarded(signed(boom, current)),
  "of a failure that isn't there": guarded(boom),
  "of a step that throws": {
    ...guarded(signed(resume(), current)),
    workflow: (context) => context.run("one", () => Promise.reject(new Error("own: boom"))),
  },
});

export const doors = topic("door", {
  "without keys": {
    workflow,
    options: () => ({ env: { [UNCHECKED]: "1" } }),
    deliveries: [resume()],
  },
  "with one key of two": {
    workflow,
    options: () => ({ env: { QSTASH_CURRENT_SIGNING_KEY: "sig_current" } }),
    deliveries: [resume()],
  },
  "with a receiver that agrees": {
    workflow,
    options: ({ note }) => ({
      receiver: {
        verify: async ({ signature, body, url }) => {
          note([signature, body.length > 0, url ?? null]);
          return true;
        },
      },
    }),
    deliveries: [{ ...resume(), headers: { ...resume().headers, "Upstash-Signature": "own" } }],
  },
  "with a receiver that disagrees": {
    workflow,
    options: () => ({ receiver: { verify: async () => false } }),
    deliveries: [{ ...resume(), headers: { ...resume().headers, "Upstash-Signature": "own" } }],
  },
  "with a receiver, and no signature": {
    workflow,
    options: () => ({ receiver: { verify: async () => true } }),
    deliveries: [resume()],
  },
});
