import { newDatabase } from "@perdure/test-support/postgres-database";
import { sampled } from "@perdure/test-support/sample";
import { conformance } from "../store/conformance.ts";
import { Tables } from "./tables.ts";

/**
 * Ways of the planner that are switched off. What is left reads a subquery again for each row. All other suites have the
 * planner's own choice.
 */
const WITHOUT = ["hashjoin", "mergejoin", "hashagg", "sort", "material", "memoize"];

const url = new URL(newDatabase());
url.searchParams.set("options", WITHOUT.map((way) => `-c enable_${way}=off`).join(" "));
const DATABASES = [
  { name: "PostgreSQL that joins by loops", tables: new Tables(url.href) },
  { name: "PostgreSQL on one connection", tables: new Tables(newDatabase(), 1) },
];
for (const { name, tables } of sampled(DATABASES, 2)) conformance(name, async () => tables.open());
