import { newDatabase } from "@perdure/test-support/postgres-database";
import { conformance } from "../store/conformance.ts";
import { Tables } from "./tables.ts";

/**
 * Ways of the planner that are switched off. What is left reads a subquery again for each row. All other suites of this
 * project have the planner's own choice.
 */
const WITHOUT = ["hashjoin", "mergejoin", "hashagg", "sort", "material", "memoize"];

const url = new URL(newDatabase());
for (const way of WITHOUT) url.searchParams.set(`enable_${way}`, "off");
const loops = new Tables(url.href);
conformance("PostgreSQL that joins by loops", async () => loops.open());

const alone = new Tables(newDatabase(), 1);
conformance("PostgreSQL on one connection", async () => alone.open());
