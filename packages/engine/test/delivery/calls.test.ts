import { expect, it } from "vitest";
import { APP, ok, until, world } from "../harness.ts";
import { app, callStep, THIRD, to, workflow } from "../steps.ts";

it("a call that takes its time holds up no run, until there are too many of them", async () => {
  const w = world(
    app({
      [APP]: workflow(callStep()),
      [THIRD]: () => new Promise(() => {}),
      "https://a.test/": () => ok(),
    }),
    { concurrency: 2, calls: 5 },
  );
  const publish = () => w.ask("POST", "/v2/publish/https://a.test/");
  for (let at = 0; at < 6; at++) await w.start(`wfr_${at}`);
  await until(() => to(w, THIRD).length === 6);
  await publish();
  await until(() => to(w, "https://a.test/").length === 1);
  for (let at = 6; at < 9; at++) await w.start(`wfr_${at}`);
  await until(() => to(w, THIRD).length === 7);
  await publish();
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect([to(w, THIRD).length, to(w, "https://a.test/").length]).toEqual([7, 1]);
});
