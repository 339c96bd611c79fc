// The floor: the same requests between two processes, with node:http and fetch, the same checks of signatures, and the same
// rows with a flush at each commit, but no engine and no runtime. It can't retry, replay or recover anything.
import { fork } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { contend } from "./contender.ts";

const engine = fork(fileURLToPath(new URL("./floor-engine.ts", import.meta.url)), {
  stdio: ["ignore", "inherit", "inherit", "ipc"],
});
const [engineUrl] = (await once(engine, "message")) as [string];

async function post(path: string, value: unknown): Promise<unknown> {
  const response = await fetch(`${engineUrl}${path}`, { method: "POST", body: JSON.stringify(value) });
  return response.json();
}

/** Appends that wait for one of two requests to be answered. */
const queue: { readonly value: object; readonly resolve: () => void }[] = [];
let sending = 0;

/** Adds a record to a run. Those of all runs that arrive meanwhile travel together. */
function append(value: object): Promise<void> {
  return new Promise((resolve) => {
    queue.push({ value, resolve });
    void send();
  });
}

async function send(): Promise<void> {
  if (sending === 2) return;
  sending++;
  while (queue.length > 0) {
    const taken = queue.splice(0);
    await post(
      "/append",
      taken.map(({ value }) => value),
    );
    for (const { resolve } of taken) resolve();
  }
  sending--;
}

const server = createServer(async (incoming, outgoing) => {
  const body = await buffer(incoming);
  const signature = createHmac("sha256", "key").update(body).digest("hex");
  if (signature !== incoming.headers.signature) throw new Error("The signature is wrong.");
  const { run, payload: steps } = JSON.parse(String(body)) as {
    readonly run: number;
    readonly payload: number;
  };
  let position = 2;
  for (let step = 0; step < steps; step++)
    await append({ run, position: position++, record: { name: `step ${step}`, out: step } });
  outgoing.end(JSON.stringify({ position }));
}).listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;

await contend(
  async (runs, steps) => {
    engine.send({ expect: runs });
    await once(engine, "message");
    const ended = once(engine, "message");
    await Promise.all(Array.from({ length: runs }, () => post("/start", { url, payload: steps })));
    await ended;
  },
  async () => {
    engine.send({ stop: true });
    await once(engine, "exit");
  },
);
