import { openSqlite } from "../../src/index.ts";
import { conformance } from "./conformance.ts";

conformance("SQLite", async () => openSqlite(":memory:"));
