/** Parts of the surroundings that a test replaces for the code that runs in its scope. */
export interface TestHost {
  /** Milliseconds since 1970. */
  now(): number;
  readonly console: Pick<Console, "error" | "warn" | "info">;
  /** Milliseconds that recorded steps may stay unrequested. */
  readonly mismatchTimeoutMs: number;
}

const KEY = Symbol.for("perdure.test");

type Registry = Readonly<Record<symbol, { getStore(): unknown } | undefined>>;

/** Returns the test in whose scope the code runs; undefined in production. `@perdure/test` registers the scope. */
export function testHost<Host = TestHost>(): Host | undefined {
  return (globalThis as unknown as Registry)[KEY]?.getStore() as Host | undefined;
}

/** Milliseconds since 1970, by the clock of the test or of the machine. */
export function now(): number {
  return testHost()?.now() ?? Date.now();
}
