// npm test [-- GROUP …]: everything but the groups on request, or the groups named; `all` names every one of them.
// Its last line is the true sum: `N passed, N failed`.
import { GROUPS, ON_REQUEST } from "./lib/checks.mjs";
import { stoppedBy } from "./lib/child.mjs";
import { main } from "./lib/main.mjs";
import { begins, progress, summary } from "./lib/report.mjs";
import { setup } from "./lib/setup.mjs";

/** What a group needs another group for. */
const BEFORE = { packages: ["build"], nextjs: ["build"], frameworks: ["build"] };

await main(async () => {
  const results = [];
  const seconds = {};
  const add = (result) => {
    results.push(result);
    progress(result);
  };
  try {
    const chosen = choose(process.argv.slice(2));
    await setup();
    for (const [group, checks] of Object.entries(GROUPS)) {
      if (!chosen.has(group)) continue;
      begins(group);
      const start = performance.now();
      try {
        for await (const check of checks()) add({ group, ...check });
      } catch (error) {
        add({ group, name: "runs to its end", ok: false, output: error.stack });
      }
      seconds[group] = (performance.now() - start) / 1000;
      if (stoppedBy() !== undefined) return 1;
    }
  } catch (error) {
    add({ group: "setup", name: "is done", ok: false, output: error.message });
  }
  return summary(results, seconds);
});

function choose(names) {
  const every = Object.keys(GROUPS);
  const unknown = names.filter((name) => name !== "all" && !(name in GROUPS));
  if (unknown.length > 0) throw new Error(`no group ${unknown}: there are ${every.join(", ")}, and all`);
  if (names.length === 0) return new Set(every.filter((name) => !ON_REQUEST.includes(name)));
  if (names.includes("all")) return new Set(every);
  return new Set(names.flatMap((name) => [...(BEFORE[name] ?? []), name]));
}
