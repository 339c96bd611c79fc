import { wire } from "../delivery/wire/index.ts";
import { run } from "./vitest.ts";

wire();
process.exit((await run()) === 0 ? 0 : 1);
