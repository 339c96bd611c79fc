import { conformance } from "../store/conformance.ts";
import { openTestStore } from "../stores.ts";

conformance("PostgreSQL", async () => openTestStore({ file: ":memory:", now: Date.now }));
