import { parentPort, workerData } from "node:worker_threads";
import { INDEXING } from "./commands/indexing.ts";
import { LISTS } from "./commands/lists.ts";
import { bindAll } from "./commands/operation.ts";
import { GroupCommit } from "./store/group-commit.ts";
import { openThreadConnection, type ThreadData } from "./store/sqlite/thread-connection.ts";
import { type ThreadAnswer, type ThreadRequest, toThreadError } from "./store/sqlite/thread-message.ts";

/** The module of the threads beside a SQLite store. A thread of this kind runs the operations of its table. */
const data: ThreadData = workerData;
const driver = new GroupCommit(openThreadConnection(data));
let now = 0;
driver.useClock(() => now);
const operations = bindAll({ ...LISTS, ...INDEXING }, { driver, owner: "", excerptBytes: 0 });

async function run({ operation, args, now: time }: ThreadRequest): Promise<ThreadAnswer> {
  now = time;
  try {
    const perform = operations[operation as keyof typeof operations] as (...args: unknown[]) => unknown;
    return { result: await perform(...args) };
  } catch (error) {
    return { error: toThreadError(error) };
  }
}

parentPort?.on("message", async (request: ThreadRequest) => parentPort?.postMessage(await run(request)));
