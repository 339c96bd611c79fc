import { openSqlite } from "../../src/open-sqlite.ts";
import { conformance } from "../store/conformance.ts";
import { run } from "./vitest.ts";

conformance("SQLite", async () => openSqlite(":memory:"));
process.exitCode = (await run()) === 0 ? 0 : 1;
