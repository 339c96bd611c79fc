import { currentScope } from "./scope.ts";

const RealDate: DateConstructor = Date;
let users = 0;

/**
 * Makes `Date` tell the time of the test in whose scope it is called. Other code, such as a concurrent test,
 * gets the machine's time.
 *
 * @returns a function that takes the replacement back
 */
export function fakeDate(): () => void {
  if (users++ === 0) globalThis.Date = ScopedDate;
  return () => {
    if (--users === 0 && globalThis.Date === ScopedDate) globalThis.Date = RealDate;
  };
}

function testTime(): number | undefined {
  const scope = currentScope();
  return scope?.fakesDate ? scope.now() : undefined;
}

const now = (): number => testTime() ?? RealDate.now();

const ScopedDate: DateConstructor = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length > 0 ? args : [now()], newTarget),
  apply: () => new RealDate(now()).toString(),
  get: (target, name) => (name === "now" ? now : Reflect.get(target, name)),
});
