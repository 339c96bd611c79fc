import { HEADER } from "@perdure/core/protocol";
import { type Call, type Endpoint, isFailure, result, runIdOf, SDK } from "./harness.ts";

/** What a proxy, a login wall, a maintenance page or a CDN answers in a workflow's place. */
export const PAGES = [200, 204, 302, 307, 401, 403, 404, 429, 500, 502, 503, 504, 520, 521, 522, 525, 530];

export function page(status: number): Response {
  return new Response(status === 204 ? null : "<title>Log in</title>", {
    status,
    headers: { "Content-Type": "text/html" },
  });
}

/** Half an answer of a workflow's: the connection breaks, or something on the way drops the rest. */
export const HALVES: [string, () => Response][] = [
  [
    "that breaks off",
    () => {
      const parts = [new TextEncoder().encode('{"result":"rel')];
      const body = new ReadableStream<Uint8Array>({
        pull(stream) {
          const part = parts.shift();
          if (part) stream.enqueue(part);
          else stream.error(new Error("socket hang up"));
        },
      });
      return new Response(body, { headers: SDK });
    },
  ],
  [
    "without its end",
    () => new Response('{"result":"rel', { headers: { ...SDK, "Content-Type": "application/json" } }),
  ],
];

/** The answer of an endpoint of our own runtime that has rolled a step back. */
export const rolledBack = (stepId: number, more: object = {}): Response =>
  new Response(
    JSON.stringify({
      rollback: { stepId, stepName: `step${stepId}`, stepType: "Run", state: "done", attempts: 1, ...more },
    }),
    { headers: { ...SDK, [HEADER.rollback]: "recorded" } },
  );

/** An answer of our own runtime, which says what it can do. */
export const capable = (capabilities = "1"): Response =>
  new Response("{}", { headers: { ...SDK, [HEADER.capabilities]: capabilities } });

/** Step 1 has a rollback; in step 2 the run fails as `second` says. `end` answers for the run's end. */
export const undoable = (second: Endpoint, end: Endpoint): Endpoint => {
  return async (call, self) => {
    if (isFailure(call)) return end(call, self);
    if (call.headers.get(HEADER.init) !== "true") return second(call, self);
    await self.append(runIdOf(call), [result(1, { rollback: true })]);
    return capable();
  };
};

export const reportIn = ({ text }: Call) => JSON.parse(text).perdure;
