/** More warnings than a developer reads. Names that a loop creates must not fill the memory. */
const MAX_WARNINGS = 1000;

const warned = new Set<string>();

/** Writes a warning to the console, once per process for each key. */
export function warnOnce(message: string, key: string = message): void {
  if (warned.has(key) || warned.size >= MAX_WARNINGS) return;
  warned.add(key);
  console.warn(`[perdure] ${message}`);
}
