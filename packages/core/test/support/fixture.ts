import { history, KEYS, request, runHeaders } from "@perdure/test-support/delivery";
import { MODE } from "@perdure/test-support/mode";
import { Recorder } from "@perdure/test-support/recorder";
import { afterAll, afterEach, beforeAll, expect, vi } from "vitest";
import type { Handler, ServeOptions, WorkflowFunction } from "../../src/index.ts";
import { serve } from "../../src/index.ts";
import { HEADER, kindOf, type StepRecord } from "../../src/protocol/index.ts";

/** A recorder for the tests of one file, empty before each of them. */
export function useRecorder(): () => Recorder {
  let recorder: Recorder;
  beforeAll(async () => {
    recorder = await Recorder.start();
  });
  afterEach(() => recorder.reset());
  afterAll(() => recorder.stop());
  return () => recorder;
}

/** An endpoint that lets anybody in and talks to the recorder. */
export function open<Payload>(
  recorder: Recorder,
  workflow: WorkflowFunction<Payload>,
  options: ServeOptions<Payload> = {},
): Handler {
  const env = { PERDURE_URL: recorder.url, PERDURE_TOKEN: "token" };
  return inMode(recorder, serve(workflow, { env, verify: "off", ...options }).handler);
}

/** Offers inline execution with each delivery of a run, as the engine does, and reads what the answer carries. */
export function inMode(recorder: Recorder, handler: Handler): Handler {
  if (MODE !== "inline") return handler;
  return async (request) => {
    // An engine that stands in the test offers its own leases.
    if (kindOf(request.headers) !== "resume" || request.headers.has(HEADER.lease)) return handler(request);
    const headers = new Headers(request.headers);
    headers.set(HEADER.lease, "lease_1");
    const response = await handler(new Request(request, { headers }));
    const { perdure } = JSON.parse(await response.clone().text());
    if (perdure) recorder.ends.push(perdure);
    return response;
  };
}

/** As {@link open}, for whom the keys have signed a request. */
export function closed<Payload>(
  recorder: Recorder,
  workflow: WorkflowFunction<Payload>,
  options: ServeOptions<Payload> = {},
): Handler {
  const env = { PERDURE_URL: recorder.url, PERDURE_TOKEN: "token" };
  return serve(workflow, { env, keys: KEYS, ...options }).handler;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

export async function answerOf(response: Response | Promise<Response>): Promise<Answer> {
  const { status, headers } = await response;
  return { status, headers, body: JSON.parse(await (await response).text()) };
}

/** A stranger is told nothing, and the console what is wrong. */
export async function expectMisconfigured(ask: () => Promise<Response>, complaint: RegExp): Promise<void> {
  const told = vi.spyOn(console, "error").mockImplementation(() => {});
  try {
    const answer = await answerOf(ask());
    const message = "The endpoint is misconfigured. Its console says why.";
    expect(answer).toMatchObject({ status: 500, body: { error: "WorkflowError", message } });
    expect(told.mock.calls.flat().join(" ")).toMatch(complaint);
  } finally {
    told.mockRestore();
  }
}

/** Delivers what is on record to an endpoint until its workflow has returned. */
export async function deliverToTheEnd(recorder: Recorder, handler: Handler): Promise<void> {
  for (let deliveries = 0; recorder.returned.length === 0; deliveries++) {
    expect(deliveries).toBeLessThan(50);
    await deliver(handler, recorder.records);
  }
}

/** Delivers a history to an endpoint. */
export function deliver(
  handler: Handler,
  records: readonly StepRecord[],
  payload: unknown = {},
): Promise<Answer> {
  return answerOf(handler(request(history(payload, records), runHeaders())));
}
