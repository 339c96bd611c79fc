import type { Store } from "../commands/store.ts";
import type { FlowControl } from "../rules/flow-control.ts";
import { GLOBAL_KEY, globalFlow } from "../rules/global-flow.ts";

/** Deliveries and calls under way, and how many there may be. */
export interface Parallelism {
  readonly max: number;
  readonly count: number;
  /** Nothing more can begin now. */
  readonly full: boolean;
}

/** Flow control keys as lists show them. */
export interface ShownFlows {
  list(search: string | undefined): Promise<FlowControl[]>;
  get(key: string): Promise<FlowControl | undefined>;
}

/** Keys as they are shown: with the messages that have none, in a list while one of them waits for room. */
export function withGlobalFlow(
  store: Pick<Store, "flows" | "flow" | "waitingForRoom">,
  parallelism: () => Parallelism,
): ShownFlows {
  const ofAll = async (): Promise<FlowControl> => {
    const { due, aside } = await store.waitingForRoom();
    const room = parallelism();
    // Where there is room, what is due is about to begin.
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
