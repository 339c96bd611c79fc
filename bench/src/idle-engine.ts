// Opens a database, runs an engine on it until that has settled, and prints the bytes that its process holds.
import { setTimeout as pause } from "node:timers/promises";
import { createEngine } from "@perdure/engine";
import { SIGNING_KEYS } from "./sleeping.ts";

const [file = ""] = process.argv.slice(2);
const engine = createEngine({ store: file, token: "token", signingKeys: SIGNING_KEYS });
engine.start();
await engine.idle();
await pause(500);
globalThis.gc?.();
console.log(process.memoryUsage().rss);
await engine.stop();
