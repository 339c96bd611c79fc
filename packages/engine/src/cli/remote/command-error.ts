/** The exit codes of the commands that ask an engine. Documented in `docs/commands.md`. */
export const EXIT = {
  /** The engine refused a request, or the run that the command waited for didn't succeed. */
  failed: 1,
  /** Unknown or malformed arguments. */
  usage: 2,
  /** No engine answers at the address. */
  unreachable: 3,
  /** The engine knows no such run, dead letter or other object, or a prefix fits several. */
  notFound: 4,
} as const;

/** The failure of a command: one line for stderr, and the exit code. */
export class CommandError extends Error {
  override name = "CommandError";
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
