import { readFileSync, writeFileSync } from "node:fs";
import { collectPairs, toTable, withTable } from "./tested-pairs.ts";

// npm run pairs: writes the README's table of what is tested.
const readme = new URL("../../README.md", import.meta.url);
writeFileSync(readme, withTable(readFileSync(readme, "utf8"), toTable(await collectPairs())));
