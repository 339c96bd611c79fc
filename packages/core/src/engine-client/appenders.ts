/** One for all invocations of the process. */
export function appenders<Append>(create: () => Append): () => Append {
  const shared = create();
  return () => shared;
}
