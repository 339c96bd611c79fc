const warned = new Set<string>();

/** Writes a warning to the console once per process. */
export function warnOnce(message: string): void {
  if (!warned.has(message)) console.warn(message);
  warned.add(message);
}
