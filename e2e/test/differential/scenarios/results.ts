import { done, history, lazy, ran, resume } from "../support/deliveries.ts";
import { type Scenario, topic } from "../support/scenario.ts";

/** The answer of a third party, as it is recorded: one character a byte. */
const recorded = (
  bytes: string | Uint8Array,
  contentType: string | undefined,
  status = 200,
): Omit<Scenario, "name"> => {
  const header = contentType === undefined ? {} : { "Content-Type": [contentType], "X-Own": ["1", "2"] };
  const body = Buffer.from(bytes).toString("latin1");
  return {
    workflow: async (context) => {
      const answer = await context.call("ask", { url: "https://third.example.com/" });
      return context.run("see", () => ({ ...answer, kind: kindOf(answer.body) }));
    },
    deliveries: [resume([done(1, "ask", "Call", { out: JSON.stringify({ status, header, body }) })])],
  };
};

function kindOf(value: unknown): string {
  return value instanceof Uint8Array ? "bytes" : typeof value;
}

export const callResults = topic("result of a call", {
  "that is JSON": recorded('{"é":"日本"}', "application/json"),
  "that is JSON with a charset": recorded('{"é":1}', "application/json; charset=utf-8"),
  "that is called JSON and isn't": recorded("<é>", "application/json"),
  "that is text": recorded("é日本", "text/plain"),
  "that is text and looks like JSON": recorded('{"b":1}', "text/plain"),
  "that is XML": recorded("<é/>", "application/xml"),
  "that is a form": recorded("a=1", "application/x-www-form-urlencoded"),
  "that is JSON of a kind of its own": recorded('{"é":1}', "application/problem+json"),
  "that is in latin-1": recorded(new Uint8Array([0xe9]), "text/plain; charset=iso-8859-1"),
  "that is an image": recorded(new Uint8Array([0x89, 0x50, 0xff]), "image/png"),
  "of no type that is text": recorded("é", undefined),
  "of no type that is JSON": recorded('{"é":1}', undefined),
  "that is empty": recorded("", "application/json", 204),
  "that is a failure": recorded('{"error":"no"}', "application/json", 500),
});

const seen = (out: string | undefined): Omit<Scenario, "name"> => ({
  workflow: async (context) => {
    const value = await context.run("one", () => null as unknown);
    return { value, kind: typeof value };
  },
  deliveries: [resume([done(1, "one", "Run", out === undefined ? {} : { out })])],
});

export const runResults = topic("result of run", {
  "that is an object": seen('{"é":[1,null]}'),
  "that is a text": seen('"text"'),
  "that is null": seen("null"),
  "that is undefined": seen(undefined),
  "that isn't JSON": seen("as it is"),
  "that is empty": seen(""),
});

const steps = [ran(1, "one", 1), ran(2, "two", 2)];
const three = async (context: Parameters<NonNullable<Scenario["workflow"]>>[0]) => {
  const one = await context.run("one", () => 1);
  const two = await context.run("two", () => 2);
  return context.run("three", () => [context.requestPayload, one, two]);
};

const fetched = (messageId: string, body: unknown, status = 200): Omit<Scenario, "name"> => ({
  workflow: three,
  deliveries: [lazy(messageId)],
  engine: ({ method }) => (method === "GET" ? { status, body } : undefined),
});

export const lazyHistories = topic("history to be fetched", {
  "of one entry": fetched("msg_0", history()),
  "of one entry, another than the delivered one": fetched("msg_x", history()),
  "of several, all delivered": fetched("msg_2", history(steps)),
  "of several, of which some are to come": fetched("msg_1", history(steps)),
  "without the delivered entry": fetched("msg_x", history(steps)),
  "of a run that has ended": fetched("msg_0", { error: "no" }, 404),
  "that can't be had": fetched("msg_0", { error: "no" }, 500),
});

const duplicated = (records: Parameters<typeof resume>[0]): Omit<Scenario, "name"> => ({
  workflow: three,
  deliveries: [resume(records)],
});

export const duplicates = topic("duplicate", {
  "of the delivered step": duplicated([ran(1, "one", 1), ran(1, "one", 1)]),
  "of a step before": duplicated([ran(1, "one", 1), ran(1, "one", "late"), ran(2, "two", 2)]),
  "with other calls between": {
    workflow: three,
    deliveries: [
      {
        ...resume(steps),
        body: JSON.stringify([
          ...history(steps.slice(0, 1)),
          { messageId: "msg_c", body: "", callType: "toCallback" },
          { messageId: "msg_d", body: "e30=", callType: "fromCallback" },
          ...history(steps).slice(2),
        ]),
      },
    ],
  },
});
