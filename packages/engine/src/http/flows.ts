import type { Handler } from "hono";
import { type FlowChange, type FlowControl, toPin, toUnpin } from "../domain/flow-control.ts";
import { toShownKey } from "../domain/global-flow.ts";
import { toName } from "../domain/name.ts";
import { Problem } from "../domain/problem.ts";
import { Query } from "./query.ts";
import type { Env, Service } from "./service.ts";

const PARAMETERS = ["parallelism", "rate", "period"];

/** `GET /v2/flowControl`: by key; with `search` those that hold it. */
export function listFlows({ flows, clock }: Service): Handler<Env> {
  return async (c) => {
    const query = new Query(c.req.raw.url, ["search"]);
    return c.json((await flows.list(query.text("search"), clock.now())).map(flowControlView));
  };
}

export function getFlow({ flows, clock }: Service): Handler<Env, "/:key"> {
  return async (c) => {
    const key = toShownKey(c.req.param("key"), "flow control key");
    const flow = await flows.get(key, clock.now());
    if (!flow) throw unknown(key);
    return c.json(flowControlView(flow));
  };
}

/** `POST /v2/flowControl/{key}/{action}`: pause, resume, pin, unpin, resetRate or reset. */
export function changeFlow({ store, clock }: Service): Handler<Env, "/:key/:action"> {
  return async (c) => {
    const key = toName(c.req.param("key"), "flow control key");
    const change = toChange(c.req.param("action"), new Query(c.req.raw.url, PARAMETERS));
    if (!(await store.flows.change(key, change, clock.now()))) throw unknown(key);
    return c.json({});
  };
}

/** `GET /v2/globalParallelism`: of all deliveries together. */
export function getParallelism({ parallelism }: Service): Handler<Env> {
  return (c) => {
    const { max, count } = parallelism();
    return c.json({ parallelismMax: max, parallelismCount: count });
  };
}

function toChange(action: string, query: Query): FlowChange {
  const read = (name: string): string | undefined => query.text(name);
  switch (action) {
    case "pause":
    case "resume":
      return { kind: action };
    case "pin":
      return { kind: "pin", ...toPin(read) };
    case "unpin":
      return toUnpin(read);
    case "reset":
    case "resetRate":
      // Deliveries under way are counted as they are: of the two counts only the rate's can be reset.
      return { kind: "reset" };
    default:
      throw new Problem(404, `not found: there is no action "${action}" of flow control`);
  }
}

function unknown(key: string): Problem {
  return new Problem(404, `flow control key ${key} not found: no message has used it`);
}

/** Every number is there: 0 for what isn't limited. */
function flowControlView(flow: FlowControl): object {
  const { rate, period, beganAt } = flow;
  return {
    flowControlKey: flow.key,
    waitListSize: flow.waiting,
    parallelismMax: flow.parallelism ?? 0,
    parallelismCount: flow.active,
    rateMax: rate ?? 0,
    rateCount: flow.begun,
    // In seconds, both.
    ratePeriod: rate === undefined ? 0 : period / 1000,
    ratePeriodStart: Math.floor(beganAt / 1000),
    isPaused: flow.paused,
    isPinnedParallelism: flow.pinnedParallelism,
    isPinnedRate: flow.pinnedRate,
  };
}
