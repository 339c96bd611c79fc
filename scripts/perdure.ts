// pnpm perdure COMMAND …: the command line of the engine, from source. Relative paths start in the folder of the caller.
if (process.env.INIT_CWD !== undefined) process.chdir(process.env.INIT_CWD);
await import("../packages/engine/src/cli.ts");
