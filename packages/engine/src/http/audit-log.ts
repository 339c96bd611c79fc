import { z } from "zod";
import { DATES, toDates } from "./filters.ts";
import { count, cursor as cursorOf, list, toCursor } from "./parameters.ts";
import { type Routes, route } from "./route.ts";
import { cursor, time } from "./schemas.ts";

const MAX_PAGE_SIZE = 200;
const DEFAULT_PAGE_SIZE = 50;

/**
 * The routes that people use to act on what is there. What endpoints ask for, and what clients publish, isn't in
 * the audit log: steps must not pay for it.
 */
const AUDITED = [
  "/v2/workflows/bulk/",
  "/v2/workflows/dlq",
  "/v2/dlq",
  "/v2/queues",
  "/v2/flowControl/",
  "/v2/schedules",
  "/v2/topics/",
  "/v2/keys/",
  "/v2/messages",
];
const AUDITED_EXACTLY: ReadonlySet<string> = new Set([
  "DELETE /v2/workflows/runs",
  "POST /v2/workflows/runs/:id/wake",
  "POST /v2/workflows/runs/:id/retry",
]);

interface AuditedRequest {
  readonly dryRun?: unknown;
  readonly cancel?: unknown;
  /** The request names the person who acts: then even a new run or an event is in the log. */
  readonly byPerson: boolean;
}

/** True for a request that the audit log tells of. */
export function isAudited(
  method: string,
  pattern: string,
  { dryRun, cancel, byPerson }: AuditedRequest,
): boolean {
  if (method === "GET" || dryRun === true) return false;
  if (byPerson) return true;
  // An endpoint ends its run with cancel=false.
  if (pattern === "/v2/workflows/runs/:id") return cancel !== false;
  return AUDITED_EXACTLY.has(`${method} ${pattern}`) || AUDITED.some((prefix) => pattern.startsWith(prefix));
}

/** Route of the audit log. */
export const auditLog = {
  "/v2/workflows/audit": {
    GET: route({
      summary: "List the requests that have changed something by hand, the latest first",
      query: {
        ...DATES,
        action: list,
        actor: list,
        count: count(MAX_PAGE_SIZE),
        cursor: cursorOf,
        person: list,
        target: list,
      },
      answers: {
        200: z.object({
          entries: z.array(
            z
              .object({
                time,
                actor: z.string().meta({ description: "The token, by the beginning of its hash." }),
                person: z
                  .string()
                  .optional()
                  .meta({ description: "The person, as the dashboard or the command names them." }),
                action: z.string().meta({ description: "The verb and the path of the route." }),
                target: z.string(),
                callerIp: z.string(),
              })
              .meta({ id: "AuditEntry" }),
          ),
          ...cursor,
        }),
      },
      async handle({ query }, { store }) {
        const { items, next } = await store.actions({
          ...toDates(query),
          actions: query.action,
          actors: query.actor,
          persons: query.person,
          targets: query.target,
          count: query.count ?? DEFAULT_PAGE_SIZE,
          before: query.cursor,
        });
        const entries = items.map(({ at, person, ...entry }) => ({
          time: at,
          ...entry,
          ...(person === undefined ? {} : { person }),
        }));
        return { entries, ...toCursor(next) };
      },
    }),
  },
} satisfies Routes;
