/** Ends a command with its reader: `perdure runs | head -1` isn't an error. */
export function endWithReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
}

/**
 * Keeps the process alive when its output can't be written. By default, a write to a closed pipe, or to a log
 * on a full disk, ends the process. With this handler the lines are lost, and the engine goes on.
 */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
}
