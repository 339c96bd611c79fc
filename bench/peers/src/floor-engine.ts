// The floor's engine: the requests, signatures, rows and flushes of runs, without anything that an engine does
// beside them. Tells its parent process its URL first, and then when as many runs as expected have ended.
import { Agent, type IncomingMessage, request } from "node:http";
import { buffer } from "node:stream/consumers";
import { openStore } from "./floor-store.ts";
import { listen, wireOf } from "./floor-wire.ts";

const [wireName, databaseUrl] = process.argv.slice(2);
const wire = wireOf(wireName);
const store = await openStore(databaseUrl);
const agent = new Agent({ keepAlive: true });
let missing = 0;

interface Started {
  readonly run: number;
  readonly url: string;
  readonly payload: number;
}

async function deliver({ run, url, payload }: Started): Promise<void> {
  const body = JSON.stringify({ run, payload });
  const headers = wire.sign(url, body);
  const sent = request(url, { method: "POST", agent, headers });
  const answered = new Promise<IncomingMessage>((resolve) => sent.once("response", resolve));
  sent.end(body);
  const { position } = JSON.parse(String(await buffer(await answered)));
  await store.end({ run, position, name: "end", body });
  if (--missing === 0) process.send?.("ended");
}

async function start({ url, payload }: Omit<Started, "run">): Promise<number> {
  const run = await store.start(url, JSON.stringify(payload));
  void deliver({ run, url, payload });
  return run;
}

interface Append {
  readonly run: number;
  readonly position: number;
  readonly record: { readonly name: string };
}

async function append(appends: readonly Append[]): Promise<number[]> {
  await store.append(
    appends.map(({ run, position, record }) => ({
      run,
      position,
      name: record.name,
      body: JSON.stringify(record),
    })),
  );
  return appends.map(({ position }) => position);
}

const answer = async (path: string, body: string): Promise<unknown> => {
  const value = JSON.parse(body);
  return path === "/append" ? append(value) : start(value);
};

process.send?.(await listen(wire.toListener(answer, false)));

process.on("message", async (message: { readonly expect?: number; readonly stop?: true }) => {
  if (message.expect !== undefined) {
    missing = message.expect;
    process.send?.("expecting");
  }
  if (!message.stop) return;
  await store.close();
  process.exit(0);
});
