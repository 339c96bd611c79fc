import type { Store } from "../../src/store/store.ts";
import { accepting } from "./accepting.ts";
import { claims } from "./claims.ts";
import { settling } from "./settling.ts";

/** What every store must do. An implementation's test is one call. */
export function conformance(name: string, open: () => Promise<Store>): void {
  claims(name, open);
  accepting(name, open);
  settling(name, open);
}
