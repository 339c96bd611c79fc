// `perdure dev` keeps its database in a file. This program is like it, on the PostgreSQL database and the port of its arguments.
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { createEngine, openPostgres } from "@perdure/engine";
import { listen } from "../../engine/src/cli/listen.ts";

const [database = "", port] = process.argv.slice(2);
const { token, currentSigningKey: current, nextSigningKey: next } = DEV_CREDENTIALS;
const engine = createEngine({ store: await openPostgres(database), token, signingKeys: { current, next } });
const server = await listen((request, bindings) => engine.fetch(request, bindings), {
  host: "127.0.0.1",
  port: Number(port),
});
engine.start();
console.log(`running at http://127.0.0.1:${server.port}`);
