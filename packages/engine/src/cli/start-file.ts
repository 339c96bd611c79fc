import { readFileSync } from "node:fs";
import { parseDuration } from "@perdure/core/protocol";
import { z } from "zod";
import { ConfigError, LEVELS, type LogLevel } from "../config.ts";
import type { DestinationRules } from "../delivery/policy.ts";
import type { SigningKeys } from "../delivery/signer.ts";
import type { EngineOptions } from "../engine.ts";
import { messageOf } from "../rules/problem.ts";

interface Secrets {
  /** What clients must show: one of these. */
  readonly tokens: readonly string[];
  readonly readOnlyTokens?: readonly string[] | undefined;
  readonly signingKeys: SigningKeys;
}

/** A user beside the first one. */
export interface FileTenant extends Secrets {
  readonly user: string;
  readonly db?: string | undefined;
}

/** What a file may say of how `perdure start` runs. Durations are texts such as `30s`. */
export interface StartFile extends Maybe<Secrets> {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly db?: string | undefined;
  readonly logLevel?: LogLevel | undefined;
  readonly tenants?: readonly FileTenant[] | undefined;
  readonly metricsToken?: string | undefined;
  readonly drain?: string | undefined;
  readonly trustProxy?: boolean | undefined;
  readonly allowHosts?: readonly string[] | undefined;
  readonly allowOrigins?: readonly string[] | undefined;
  readonly destinations?: Maybe<DestinationRules> | undefined;
  readonly concurrency?: number | undefined;
  readonly calls?: number | undefined;
  readonly timeouts?: Maybe<Record<"delivery" | "message" | "lease", string>> | undefined;
  readonly limits?: Maybe<Omit<Limits, "delay" | "timeout"> & { delay: string; timeout: string }> | undefined;
  readonly retention?: Maybe<Record<keyof NonNullable<EngineOptions["retention"]>, string>> | undefined;
  readonly region?: string | undefined;
}

type Limits = NonNullable<EngineOptions["limits"]>;

type Maybe<T> = { readonly [K in keyof T]?: T[K] | undefined };

const text = z.string().min(1);
const count = z.int().min(1);
const duration = text.refine(
  (value) => parseDuration(value) !== undefined,
  'expected a duration such as "30s"',
);
/** One in which something can be done. */
const span = duration.refine((value) => parseDuration(value) !== 0, "expected more than no time");
const any = z.int().min(0);
const secrets = {
  tokens: z.array(text).min(1),
  readOnlyTokens: z.array(text).optional(),
  signingKeys: z.strictObject({ current: text, next: text }),
};

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
  drain: duration.optional(),
  trustProxy: z.boolean().optional(),
  allowHosts: z.array(text).optional(),
  allowOrigins: z.array(text).optional(),
  destinations: z
    .strictObject({ allow: z.array(text), deny: z.array(text) })
    .partial()
    .optional(),
  concurrency: count.optional(),
  calls: any.optional(),
  timeouts: z.strictObject({ delivery: span, message: span, lease: span }).partial().optional(),
  limits: z
    .strictObject({
      requestBytes: count,
      inFlightBytes: count,
      webhookBytes: any,
      webhookHits: any,
      webhookHitBytes: any,
      batchItems: count,
      responseBytes: any,
      callBytes: any,
      historyBytes: any,
      retries: any,
      requestsPerSecond: count,
      requestsPerDay: count,
      messageBytes: any,
      delay: duration,
      timeout: span,
      endpoints: count,
      urlGroups: any,
      parallelism: count,
      queues: any,
      queueParallelism: count,
      schedules: any,
    })
    .partial()
    .optional(),
  retention: z
    .strictObject({
      deduplication: duration,
      messages: duration,
      logs: duration,
      dlq: duration,
      runs: duration,
    })
    .partial()
    .optional(),
  region: z
    .string()
    .regex(/^[\w-]+$/, "expected a name such as EU-CENTRAL-1")
    .optional(),
});

/** @throws ConfigError that names what can't be used: also a key that there isn't */
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
