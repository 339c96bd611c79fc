import type { Store } from "../commands/store.ts";

/** Called after each operation of a store. */
type Measure = (operation: string, seconds: number) => void;

/** Wraps a store to measure the duration of its operations. */
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
