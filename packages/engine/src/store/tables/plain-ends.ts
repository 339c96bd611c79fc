import type { StepRow } from "./entries.ts";

/**
 * The success of a run whose invocation has answered with the workflow's result, where the answer asks for nothing else. Its lease
 * says that the run has no invoker, and its delivery no queue and no flow control key.
 */
export interface PlainEnd {
  /** The key of its delivery, the delivery's id and fencing token. */
  readonly seq: number;
  readonly message: string;
  readonly fence: number;
  /** The key of the run, and its id. */
  readonly run: number;
  readonly id: string;
  /** The number of the run's lease. */
  readonly lease: number;
  /** Identifies the invocation among those of the lease's delivery. */
  readonly name: string;
  /** The position of the last entry that it knows. */
  readonly after: number;
  /** The workflow's result as a JSON string. */
  readonly response: string | null;
  /** New facts about the endpoint in the answer. */
  readonly capabilities: string | null;
  readonly identified: 0 | 1;
  /** 1 if these capabilities change more than the run's row, where they are new. */
  readonly changes: 0 | 1;
  readonly entries: readonly StepRow[];
}

/** The columns of an end, without its entries, and its place among those of a statement. */
export const PLAIN_END = {
  at: "number",
  seq: "number",
  message: "string",
  fence: "number",
  run: "number",
  id: "string",
  lease: "number",
  name: "string",
  after: "number",
  response: "string",
  capabilities: "string",
  identified: "number",
  changes: "number",
} as const;
