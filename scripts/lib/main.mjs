import { run } from "./child.mjs";
import { environment, ROOT } from "./paths.mjs";
import { SetupError, setup } from "./setup.mjs";

/** Sets up, runs the command on the pinned Node with our input and output, and exits with its code. */
export async function runAfterSetup(command, args, options = {}) {
  await main(async () => {
    await setup();
    const { code } = await run(command, args, { cwd: ROOT, env: environment(), ...options });
    return code;
  });
}

/** @param {() => Promise<number>} body returns the exit code */
export async function main(body) {
  try {
    process.exitCode = await body();
  } catch (error) {
    process.stderr.write(`${error instanceof SetupError ? error.message : (error.stack ?? error)}\n`);
    process.exitCode = 1;
  }
}
