/** The message of anything that can be thrown, with what lies behind a bundle of errors. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.errors.length > 0) {
    return [...new Set(thrown.errors.map(messageOf))].join("; ");
  }
  if (thrown instanceof Error) return thrown.message || thrown.name;
  return String(thrown);
}
