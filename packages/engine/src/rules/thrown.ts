/** Returns the message of any thrown value; for an `AggregateError`, the messages of its errors. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.errors.length > 0) {
    return [...new Set(thrown.errors.map(messageOf))].join("; ");
  }
  if (thrown instanceof Error) return thrown.message || thrown.name;
  return String(thrown);
}
