/**
 * As much of vitest as the stores' suite uses, for runtimes on which vitest itself doesn't run. The suite is bundled with
 * this in vitest's place; it runs as soon as everything is described, and prints what passed.
 */
export { expect } from "expect";

type Act = () => unknown;

interface Suite {
  readonly name: string;
  readonly parent: Suite | undefined;
  readonly before: Act[];
  readonly after: Act[];
}

const tests: { readonly name: string; readonly suite: Suite; readonly run: Act }[] = [];
let suite: Suite = { name: "", parent: undefined, before: [], after: [] };

export function describe(name: string, body: Act): void {
  const parent = suite;
  suite = { name, parent, before: [], after: [] };
  body();
  suite = parent;
}

export function it(name: string, run: Act): void {
  tests.push({ name, suite, run });
}

/** A test for each row: its name holds `%s` for what is in the row. */
it.each =
  <Row>(rows: readonly Row[]) =>
  (name: string, run: (...row: never[]) => unknown): void => {
    for (const row of rows) {
      const values = (Array.isArray(row) ? row : [row]) as never[];
      it(`${name} ${JSON.stringify(values)}`, () => run(...values));
    }
  };

export function beforeEach(act: Act): void {
  suite.before.push(act);
}

export function afterEach(act: Act): void {
  suite.after.push(act);
}

/** The stores of tests that don't name a file leave nothing behind. */
export function onTestFinished(): void {}

/** Values that vitest's set-up provides: there is none here. */
export function inject(name: string): never {
  throw new TypeError(`Nothing provides ${name} here.`);
}

const lineage = (one: Suite | undefined): Suite[] => (one ? [...lineage(one.parent), one] : []);

/** Runs all that was described. @returns how many tests failed */
export async function run(): Promise<number> {
  let failed = 0;
  for (const { name, suite, run } of tests) {
    const suites = lineage(suite);
    try {
      for (const { before } of suites) for (const act of before) await act();
      await run();
      for (const { after } of suites.toReversed()) for (const act of after) await act();
    } catch (error) {
      failed++;
      console.log(`✗ ${suite.name} > ${name}\n${error instanceof Error ? error.stack : error}`);
    }
  }
  console.log(`${tests.length - failed} passed, ${failed} failed`);
  return failed;
}
