import { readFileSync } from "node:fs";
import { parseDuration } from "@perdure/core/protocol";
import { z } from "zod";
import type { DestinationRules } from "../delivery/policy.ts";
import type { SigningKeys } from "../delivery/signer.ts";
import { ENGINE_OPTIONS, type OptionRow } from "../rules/engine-options.ts";
import { messageOf } from "../rules/thrown.ts";
import type { FileOptions } from "./engine-options.ts";
import { ConfigError, LEVELS, type LogLevel } from "./values.ts";

interface Secrets {
  /** The tokens that clients may send. */
  readonly tokens: readonly string[];
  readonly readOnlyTokens?: readonly string[] | undefined;
  readonly signingKeys: SigningKeys;
}

/** A further user, in addition to the first. */
export interface FileTenant extends Secrets {
  readonly user: string;
  readonly db?: string | undefined;
}

/** The settings that a file of `perdure start` may contain. Durations are strings such as `30s`. */
export interface StartFile extends Maybe<Secrets>, FileOptions {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly db?: string | undefined;
  readonly logLevel?: LogLevel | undefined;
  readonly tenants?: readonly FileTenant[] | undefined;
  readonly metricsToken?: string | undefined;
  readonly dashboard?: boolean | undefined;
  readonly otlpEndpoint?: string | undefined;
  readonly drain?: string | undefined;
  readonly allowHosts?: readonly string[] | undefined;
  readonly allowOrigins?: readonly string[] | undefined;
  readonly destinations?: Maybe<DestinationRules> | undefined;
}

type Maybe<T> = { readonly [K in keyof T]?: T[K] | undefined };

const text = z.string().min(1);
const count = z.int().min(1);
const duration = text.refine(
  (value) => parseDuration(value) !== undefined,
  'expected a duration such as "30s"',
);
/** A duration above zero. */
const span = duration.refine((value) => parseDuration(value) !== 0, "expected a duration longer than 0");
const name = z.string().regex(/^[\w-]+$/, "expected a name such as EU-CENTRAL-1");
/** The schema of each range in a file. */
const SPELLED = {
  count,
  "count or none": z.int().min(0),
  time: span,
  "time or none": duration,
  flag: z.boolean(),
  name,
};

type Shape<R> = { [Name in keyof R]: z.ZodOptional<z.ZodType<number | string | boolean>> };

function shapeOf<R extends Readonly<Record<string, OptionRow>>>(rows: R): Shape<R> {
  const entries = Object.entries(rows).map(([name, row]) => [name, SPELLED[row.is].optional()]);
  return Object.fromEntries(entries) as Shape<R>;
}

const secrets = {
  tokens: z.array(text).min(1),
  readOnlyTokens: z.array(text).optional(),
  signingKeys: z.strictObject({ current: text, next: text }),
};

const { timeouts, limits, retention, ...own } = ENGINE_OPTIONS;

const schema: z.ZodType<StartFile> = z.strictObject({
  host: text.optional(),
  port: z.int().min(0).max(65_535).optional(),
  db: text.optional(),
  logLevel: z.enum(LEVELS).optional(),
  tokens: secrets.tokens.optional(),
  readOnlyTokens: secrets.readOnlyTokens,
  signingKeys: secrets.signingKeys.optional(),
  tenants: z.array(z.strictObject({ user: text, db: text.optional(), ...secrets })).optional(),
  metricsToken: text.optional(),
  dashboard: z.boolean().optional(),
  otlpEndpoint: text.optional(),
  drain: duration.optional(),
  allowHosts: z.array(text).optional(),
  allowOrigins: z.array(text).optional(),
  destinations: z
    .strictObject({ allow: z.array(text), deny: z.array(text) })
    .partial()
    .optional(),
  ...shapeOf(own),
  timeouts: z.strictObject(shapeOf(timeouts)).optional(),
  limits: z.strictObject(shapeOf(limits)).optional(),
  retention: z.strictObject(shapeOf(retention)).optional(),
});

/**
 * Reads the file of `--config`.
 *
 * @throws ConfigError that names the invalid value, or the unknown key
 */
export function readStartFile(path: string): StartFile {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new ConfigError(`The configuration ${path} can't be read: ${messageOf(cause)}`, { cause });
  }
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  throw new ConfigError(`The configuration ${path} can't be used:\n${z.prettifyError(read.error)}`);
}
