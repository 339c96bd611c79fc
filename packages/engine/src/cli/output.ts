/**
 * Lets a process outlive the readers of its output. Writing to a closed pipe, or to a log on a full disk, is an error that
 * ends a process by default: here, the lines are lost, and the engine goes on.
 */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
}
