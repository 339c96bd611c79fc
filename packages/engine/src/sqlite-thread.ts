import { parentPort, workerData } from "node:worker_threads";
import { LISTS } from "./commands/lists.ts";
import type { Operation } from "./commands/operation.ts";
import { GroupCommit } from "./store/group-commit.ts";
import { openThreadConnection, type ThreadData } from "./store/sqlite/thread-connection.ts";
import { type ThreadAnswer, type ThreadRequest, toThreadError } from "./store/sqlite/thread-message.ts";

/** The module of the threads beside a SQLite store. A thread of this kind runs the operations of its table. */
const data: ThreadData = workerData;
const driver = new GroupCommit(openThreadConnection(data));
let now = 0;
driver.useClock(() => now);
const table: Readonly<Record<string, Operation<readonly unknown[], unknown>>> = { ...LISTS } as never;

async function run({ operation, args, now: time }: ThreadRequest): Promise<ThreadAnswer> {
  now = time;
  try {
    const bind = table[operation];
    if (!bind) throw new TypeError(`There is no operation ${operation}.`);
    return { result: await bind({ driver, owner: "", excerptBytes: 0 })(...args) };
  } catch (error) {
    return { error: toThreadError(error) };
  }
}

parentPort?.on("message", async (request: ThreadRequest) => parentPort?.postMessage(await run(request)));
