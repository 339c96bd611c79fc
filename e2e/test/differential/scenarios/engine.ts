import { plan, resume } from "../support/deliveries.ts";
import type { Script } from "../support/recorder.ts";
import { type Scenario, topic } from "../support/scenario.ts";
import type { Context } from "../support/sdks.ts";

/** The engine refuses what is published, and has the run or not. */
const refusing =
  (status: number, run: "live" | "ended"): Script =>
  ({ method }) => {
    if (method === "POST") return { status, body: { error: "no" } };
    return run === "live"
      ? { body: [{ messageId: "msg_0", body: "", callType: "step" }] }
      : { status: 404, body: { error: "no" } };
  };

const one = (context: Context) => context.run("one", () => 1);
const both = (context: Context) => Promise.all([context.run("a", () => 1), context.run("b", () => 2)]);

const publishing = (
  engine: Script,
  workflow: (context: Context) => Promise<unknown> = one,
  deliveries: Scenario["deliveries"] = [resume()],
): Omit<Scenario, "name"> => ({ workflow, deliveries, engine });

export const refusals = topic("engine answers", {
  "400, because the run has ended": publishing(refusing(400, "ended")),
  "400, though the run is live": publishing(refusing(400, "live")),
  "400 to a group": publishing(refusing(400, "ended"), both),
  "400 to a member of a group": publishing(refusing(400, "ended"), both, [resume([plan(1, "a", "Run")])]),
  "400 to a call": publishing(refusing(400, "live"), (context) =>
    context.call("ask", { url: "https://third.example.com/" }),
  ),
  "400 to a wait": publishing(refusing(400, "live"), (context) => context.waitForEvent("wait", "evt")),
  "412": publishing(refusing(412, "live")),
  "412 to a wait": publishing(refusing(412, "live"), (context) => context.waitForEvent("wait", "evt")),
  "412 to a group": publishing(refusing(412, "live"), both),
  "429": publishing(refusing(429, "live")),
  "500": publishing(refusing(500, "live")),
  "500 to a group": publishing(refusing(500, "live"), both),
  "500 to a wait": publishing(refusing(500, "live"), (context) => context.waitForEvent("wait", "evt")),
});

export const unreachable = topic("engine is", {
  nowhere: {
    workflow: one,
    options: () => ({ env: { QSTASH_URL: "http://127.0.0.1:1" } }),
    deliveries: [resume()],
  },
  "unknown, for want of a token": {
    workflow: one,
    options: () => ({ env: { QSTASH_TOKEN: undefined } }),
    deliveries: [resume()],
  },
});
