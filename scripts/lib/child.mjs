// Child processes that never outlive us. Each one leads a process group of its own: it gets a signal once, from us,
// and not a second time from the terminal; and whatever it leaves behind is ended with its group.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

const GRACE_MS = 15_000;
const LEFTOVER_MS = 2_000;
// A terminal's Ctrl-C reaches us twice: from the terminal, and passed on by npm.
const ECHO_MS = 500;
const GROUPS = process.platform !== "win32";

const running = new Set();
let signalled;

/** The signal that told us to stop, if one did. */
export const stoppedBy = () => signalled?.name;

/**
 * Runs a command to its end. With `capture`, its output is returned instead of shown.
 *
 * @returns {Promise<{ code: number, output: string }>} `code` is 128 + n where signal n ended it
 */
export async function run(command, args, { capture = false, ...options } = {}) {
  listen();
  const stdio = capture ? ["ignore", "pipe", "pipe"] : "inherit";
  const child = spawn(command, args, { stdio, detached: GROUPS, ...options });
  const output = [];
  child.stdout?.on("data", (chunk) => output.push(chunk));
  child.stderr?.on("data", (chunk) => output.push(chunk));
  running.add(child);
  try {
    const closed = new Promise((done) => child.once("close", done));
    const code = await ended(child);
    await endLeftovers(child.pid);
    if (child.pid !== undefined) await closed;
    return { code, output: Buffer.concat(output).toString() };
  } finally {
    running.delete(child);
  }
}

function ended(child) {
  return new Promise((done, fail) => {
    child.once("error", fail);
    child.once("exit", (code, signal) => done(code ?? 128 + constants.signals[signal]));
  });
}

/** What the child has started and not ended itself. */
async function endLeftovers(group) {
  if (!GROUPS || !signalGroup(group, "SIGTERM")) return;
  for (const end = Date.now() + LEFTOVER_MS; Date.now() < end; await sleep(20)) {
    if (!signalGroup(group, 0)) return;
  }
  signalGroup(group, "SIGKILL");
}

/** @returns whether the group has a member */
function signalGroup(group, signal) {
  try {
    process.kill(-group, signal);
    return true;
  } catch {
    return false;
  }
}

function listen() {
  if (process.listenerCount("SIGINT") > 0) return;
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => stop(name));
  // npm runs us by a shell, and a signal to npm may end the two without reaching us.
  const parent = process.ppid;
  const orphaned = () => process.ppid !== parent && stop("SIGTERM");
  if (process.env.npm_lifecycle_event !== undefined) setInterval(orphaned, 500).unref();
}

/** A signal is passed on: the child may end in peace, or take a second one as haste. A third, or the time, ends it. */
function stop(name) {
  if (signalled !== undefined && Date.now() - signalled.at < ECHO_MS) return;
  signalled = { name, at: Date.now(), count: (signalled?.count ?? 0) + 1 };
  if (signalled.count > 2) return endNow();
  for (const child of running) child.kill(name);
  setTimeout(endNow, GRACE_MS).unref();
}

function endNow() {
  for (const child of running) GROUPS ? signalGroup(child.pid, "SIGKILL") : child.kill("SIGKILL");
}
