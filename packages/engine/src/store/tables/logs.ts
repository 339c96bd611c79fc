import { isLogged, type LogState } from "../../rules/log.ts";
import { forEach, type Sql, sql, type Tx } from "../tx.ts";
import type { MessageRow } from "./rows.ts";

/** Details of a change of state. */
export interface Change {
  /** The number of attempts that failed before this one, for an attempt that failed. */
  readonly attempt?: number;
  /** When the next attempt begins, in milliseconds since 1970. */
  readonly dueAt?: number;
}

/** Logs a message's new state, in the transaction that changes it. */
export async function logState(
  tx: Tx,
  { seq, kind }: Pick<MessageRow, "seq" | "kind">,
  state: LogState,
  { attempt, dueAt }: Change = {},
): Promise<void> {
  const logged = isLogged(kind);
  tx.count({ of: logged ? "message" : "delivery", state, count: 1 });
  if (!logged) return;
  tx.send(
    sql`INSERT INTO logs (message, state, at, attempt, due_at) VALUES (${seq}, ${state}, ${tx.now}, ${attempt ?? null}, ${dueAt ?? null})`,
  );
}

/** Logs the same new state of several messages. */
export function logEach(
  tx: Tx,
  messages: readonly Pick<MessageRow, "seq" | "kind">[],
  state: LogState,
): void {
  const logged = messages.filter(({ kind }) => isLogged(kind));
  tx.count({ of: "message", state, count: logged.length });
  tx.count({ of: "delivery", state, count: messages.length - logged.length });
  tx.sendForEach(
    forEach(
      { message: "number" },
      logged.map(({ seq }) => ({ message: seq })),
      (row, from) => {
        return sql`INSERT INTO logs (message, state, at) SELECT ${row.message}, ${state}, ${tx.now}${from}`;
      },
    ),
  );
}

/**
 * Logs a new state of many messages, none of them a run's own delivery.
 *
 * @param where a condition on `due`
 * @returns how many they are
 */
export async function logStates(tx: Tx, state: LogState, where: Sql): Promise<number> {
  const changes = await tx.run(
    sql`INSERT INTO logs (message, state, at) SELECT message, ${state}, ${tx.now} FROM due WHERE ${where}`,
  );
  tx.count({ of: "message", state, count: changes });
  return changes;
}
