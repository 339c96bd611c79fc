// The floor: the same requests between two processes, the same checks of signatures, and the same rows with a flush at each
// commit, but no engine and no runtime. It can't retry, replay or recover anything. Its arguments are the wire and the URL
// of a PostgreSQL database; without it the rows are in a SQLite file.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { contend } from "./contender.ts";
import { listen, wireOf } from "./floor-wire.ts";

const args = process.argv.slice(2);
const [wire] = args;
const engine = fork(fileURLToPath(new URL("./floor-engine.ts", import.meta.url)), args, {
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

async function run(_path: string, body: string): Promise<{ readonly position: number }> {
  const { run, payload: steps } = JSON.parse(body) as { readonly run: number; readonly payload: number };
  let position = 2;
  for (let step = 0; step < steps; step++)
    await append({ run, position: position++, record: { name: `step ${step}`, out: step } });
  return { position };
}

const url = await listen(wireOf(wire).toListener(run, true));

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
