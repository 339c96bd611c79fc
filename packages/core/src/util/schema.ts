import { WorkflowError } from "./errors.ts";

/**
 * The part of Standard Schema v1 (https://standardschema.dev) that the runtime reads.
 * zod 3.24+, valibot 1+, arktype 2+ and others implement it.
 */
export interface Schema<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The error for a value that doesn't fit: its code, and its message before the issues. */
export interface Misfit {
  readonly code: "invalid_payload" | "invalid_event";
  readonly message: string;
}

/** Validates a value. @throws WorkflowError with each issue and its path in the message */
export async function validate<Output>(
  schema: Schema<Output>,
  value: unknown,
  { code, message }: Misfit,
): Promise<Output> {
  const result = await schema["~standard"].validate(value);
  if (!result.issues) return result.value;
  const issues = result.issues.map(describe).join("; ");
  throw new WorkflowError(code, `${message}: ${issues}.`);
}

/** @throws TypeError for anything but a Standard Schema */
export function checkSchema(schema: object): void {
  if (!("~standard" in schema)) throw new TypeError("schema must be a Standard Schema (zod 3.24+).");
}

function describe(issue: SchemaIssue): string {
  const path = issue.path?.map((part) => String(typeof part === "object" ? part.key : part)).join(".");
  return path ? `${path}: ${issue.message}` : issue.message;
}
