import { WorkflowError } from "@perdure/core";
import { CommandError, EXIT } from "./command-error.ts";

/** Returns the exit code and the line for an error of a command; undefined for a defect. */
export function explainError(error: unknown): CommandError | undefined {
  if (error instanceof CommandError) return error;
  if (error instanceof TypeError && !(error.cause instanceof Error))
    return new CommandError(EXIT.usage, error.message);
  if (!(error instanceof WorkflowError)) return undefined;
  const exitCode =
    error.code === "engine_unreachable"
      ? EXIT.unreachable
      : error.code === "unknown_run"
        ? EXIT.notFound
        : EXIT.failed;
  return new CommandError(exitCode, error.message, { cause: error });
}
