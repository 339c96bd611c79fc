import type { FlowControl } from "../rules/flow-control.ts";
import { GLOBAL_KEY, globalFlow } from "../rules/global-flow.ts";
import type { Flows } from "../store/controls.ts";

/** Deliveries and calls under way, and how many there may be. */
export interface Parallelism {
  readonly max: number;
  readonly count: number;
  /** Nothing more can begin now. */
  readonly full: boolean;
}

/** Keys as they are shown: with the messages that have none, in a list while one of them waits for room. */
export function withGlobalFlow(flows: Flows, parallelism: () => Parallelism): Pick<Flows, "list" | "get"> {
  const ofAll = async (): Promise<FlowControl> => {
    const { due, aside } = await flows.waitingForRoom();
    const room = parallelism();
    // Where there is room, what is due is about to begin.
    return globalFlow(room, room.full ? due + aside : aside);
  };
  return {
    async list(search) {
      const known = await flows.list(search);
      if (!GLOBAL_KEY.includes(search ?? "")) return known;
      const all = await ofAll();
      return all.waiting > 0 ? [all, ...known] : known;
    },
    get: (key) => (key === GLOBAL_KEY ? ofAll() : flows.get(key)),
  };
}
