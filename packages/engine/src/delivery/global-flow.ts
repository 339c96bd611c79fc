import type { Store } from "../commands/store.ts";
import type { FlowControl } from "../rules/flow-control.ts";
import { GLOBAL_KEY, globalFlow } from "../rules/global-flow.ts";

/** The number of deliveries and calls in flight, and its limit. */
export interface Parallelism {
  readonly max: number;
  readonly count: number;
  /** True when no further delivery can begin now. */
  readonly full: boolean;
}

/** Flow control keys as lists show them. */
export interface ShownFlows {
  list(search: string | undefined): Promise<FlowControl[]>;
  /** @throws EngineError `not_found` */
  get(key: string): Promise<FlowControl>;
}

/** Adds a global key for the messages that have no key. A list shows it while one of them waits for room. */
export function withGlobalFlow(
  store: Pick<Store, "flows" | "flow" | "waitingForRoom">,
  parallelism: () => Parallelism,
): ShownFlows {
  const ofAll = async (): Promise<FlowControl> => {
    const { due, aside } = await store.waitingForRoom();
    const room = parallelism();
    // While there is room, due messages are about to begin and don't count as waiting.
    return globalFlow(room, room.full ? due + aside : aside);
  };
  return {
    async list(search) {
      const known = await store.flows(search);
      if (!GLOBAL_KEY.includes(search ?? "")) return known;
      const all = await ofAll();
      return all.waiting > 0 ? [all, ...known] : known;
    },
    get: (key) => (key === GLOBAL_KEY ? ofAll() : store.flow(key)),
  };
}
