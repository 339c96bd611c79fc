import type { Store } from "../commands/store.ts";

/** Told of an operation of a store, when it is over. */
type Measure = (operation: string, seconds: number) => void;

/** The same store; how long its operations take is told. */
export function measured(store: Store, measure: Measure): Store {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      return (...args: unknown[]): unknown => {
        const began = performance.now();
        const result: unknown = Reflect.apply(member, target, args);
        if (!(result instanceof Promise)) return result;
        const tell = (): void => measure(String(name), (performance.now() - began) / 1000);
        result.then(tell, tell);
        return result;
      };
    },
  });
}
