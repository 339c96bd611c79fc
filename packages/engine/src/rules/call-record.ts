import { keyOf, type StepRecord } from "@perdure/core/protocol";
import { toBytes } from "./bytes.ts";
import { toShown } from "./header.ts";
import type { Failure, Reply } from "./message.ts";

/** Bytes of an answer that {@link escapeBody} escapes between two pauses: about a millisecond's work. */
const SLICE = 64 * 1024;

/** The end of a call: an answer, or its last failure. */
export interface CallEnd {
  readonly at: number;
  readonly reply: Reply | undefined;
  /** Absent when the answer is a success. */
  readonly failure: Failure | undefined;
  /**
   * The engine makes the step's record: a record by the endpoint would be larger than what the engine
   * accepts.
   */
  readonly recordedByEngine?: boolean;
  /** The body of the answer, as {@link escapeBody} escapes it. Without it, the record is made in one go. */
  readonly escapedBody?: readonly Uint8Array[];
}

/** The record of a call's answer. */
export interface AnswerRecord {
  readonly key: string;
  readonly step: Pick<StepRecord, "stepName" | "stepType">;
  /** The record, as JSON. */
  readonly body: Uint8Array;
}

/**
 * Makes the record of a call's answer, as an endpoint makes it of the delivery of the answer.
 *
 * @param plan the step's plan, whose fields the record has
 */
export function toAnswerRecord({ targetStep = 0, ...plan }: StepRecord, end: CallEnd): AnswerRecord {
  const { reply, escapedBody = escapeBody(bodyOf(end)) } = end;
  const fields = JSON.stringify({ ...plan, stepId: targetStep }).slice(0, -1);
  const [before, after] = [`{"status":${reply?.status ?? 0},"body":"`, toShown(reply?.headers ?? {})];
  const body = Buffer.concat([
    toBytes(`${fields},"out":"${toStringContent(before)}`),
    ...escapedBody,
    toBytes(`${toStringContent(`","header":${JSON.stringify(after)}}`)}"}`),
  ]);
  return { key: keyOf("result", targetStep), step: plan, body };
}

/** The body of a call's answer or, without an answer, the reason. */
export function bodyOf({ reply, failure }: Pick<CallEnd, "reply" | "failure">): Uint8Array {
  return reply?.body ?? toBytes(failure?.error ?? "");
}

/**
 * Escapes the body of an answer for its place in a record: a string within the JSON in the string `out`. The string has
 * one character for each byte, because the body need not be UTF-8. Yields the parts in order; the caller can pause
 * between them.
 */
export function* escapeBody(body: Uint8Array): Generator<Uint8Array, void> {
  for (let at = 0; at < body.length; at += SLICE) {
    const part = Buffer.from(body.buffer, body.byteOffset + at, Math.min(SLICE, body.length - at));
    yield Buffer.from(toStringContent(toStringContent(part.toString("latin1"))));
  }
}

/** Escapes a string for its place between the quotation marks of a JSON string. */
function toStringContent(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
