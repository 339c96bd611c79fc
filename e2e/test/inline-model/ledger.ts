import type { HistoryEntry, InlineAnswer, InlineAppend } from "@perdure/core/protocol";

/** What is known of one run's history and of who may write to it, from all that its messages have shown. */
export class Ledger {
  /** The records on disk, by their positions; the first one has position 1. Failed attempts are only known as such. */
  readonly #records: string[] = [];
  /** Results of steps that are on disk. */
  readonly #outs = new Set<string>();
  readonly #finished = new Set<string>();
  readonly #report: (violation: string) => void;
  /** The lease of the youngest delivery that has been seen. */
  lease = 0;
  over = false;

  constructor(report: (violation: string) => void) {
    this.#report = report;
  }

  /** How many records are known to be on disk. */
  get length(): number {
    return this.#records.length;
  }

  /** A delivery has arrived with this history. */
  delivered(lease: string, history: readonly HistoryEntry[]): void {
    const number = numberOf(lease);
    if (number > this.lease) {
      if (history.length < this.length)
        this.#report(
          `delivery ${number} has ${history.length} records; ${this.length} were acknowledged before`,
        );
      this.lease = number;
    }
    history.forEach((entry, at) => void this.#put(at + 1, contentOf(entry)));
  }

  /** The engine has answered an append. @param leaseBefore the youngest lease when the append was sent */
  appended(append: InlineAppend, answer: InlineAnswer, leaseBefore: number): void {
    if (!("news" in answer)) return;
    const number = numberOf(append.lease);
    if (number < leaseBefore)
      this.#report(`the engine took an append of lease ${number} after the delivery of lease ${leaseBefore}`);
    answer.news.forEach((news, at) => {
      const record = "own" in news ? append.records[news.own] : undefined;
      const own = record && (record.kind === "attempt" ? ATTEMPT : canonical(record.record));
      this.#put(append.after + at + 1, "entry" in news ? contentOf(news.entry) : (own ?? "?"));
    });
  }

  /** Whether a result of a step is on disk. */
  has(out: string): boolean {
    return this.#outs.has(JSON.stringify(out));
  }

  /** Whether the step with this name has its result on disk. */
  isFinished(name: string): boolean {
    return this.#finished.has(name);
  }

  /** Compares all that is known with the history that is on disk in the end. */
  expectWhole(history: readonly HistoryEntry[]): void {
    if (history.length < this.length)
      this.#report(`${this.length} records were acknowledged, ${history.length} are on disk in the end`);
    history.forEach((entry, at) => void this.#put(at + 1, contentOf(entry)));
  }

  #put(position: number, content: string): void {
    const known = this.#records[position - 1];
    if (known !== undefined && known !== content)
      this.#report(`record ${position} was ${known}, and is ${content}`);
    this.#records[position - 1] = content;
    // The payload, a failed attempt, and the message of a call are no records of steps.
    if (position === 1 || content === ATTEMPT || content === "") return;
    const { stepId, stepName, out } = JSON.parse(content);
    if (stepId > 0 && known === undefined && this.#finished.has(stepName))
      this.#report(`${stepName} has two results, the second one at ${position}`);
    if (stepId > 0) this.#finished.add(stepName);
    if (typeof out === "string") this.#outs.add(out);
  }
}

const ATTEMPT = "a failed attempt";

/** The number in a lease, which grows with each delivery. */
export function numberOf(lease: string): number {
  return Number.parseInt(lease, 10);
}

function contentOf({ callType, body }: HistoryEntry): string {
  if (callType === "attempt") return ATTEMPT;
  const text = Buffer.from(body, "base64").toString();
  return text === "" ? "" : canonical(JSON.parse(text));
}

function canonical(record: object): string {
  return JSON.stringify(record, (_, value) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
