import { parentPort, workerData } from "node:worker_threads";

/** A module of threads whose operations end when a test says so, by the number in the shared memory. */
const gate = workerData as Int32Array;

parentPort?.on("message", ({ operation }: { operation: string }) => {
  if (operation === "stuck") Atomics.wait(gate, 0, 0);
  if (operation === "crash") throw new Error("boom");
  parentPort?.postMessage({ result: operation });
});
