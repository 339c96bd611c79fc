import { changeTopic, refuseTopic, type Topic, type TopicChange, type TopicLimits } from "../rules/topic.ts";
import { sql, type Tx } from "../store/tx.ts";

interface TopicRow {
  readonly name: string;
  readonly created_at: number;
  readonly updated_at: number;
  readonly endpoints: string;
  readonly headers: string;
}

export async function topics(tx: Tx): Promise<Topic[]> {
  return (await tx.all<TopicRow>(sql`SELECT * FROM url_groups ORDER BY name`)).map(toTopic);
}

export async function topic(tx: Tx, name: string): Promise<Topic | undefined> {
  const row = await tx.one<TopicRow>(sql`SELECT * FROM url_groups WHERE name = ${name}`);
  return row && toTopic(row);
}

export async function updateTopic(
  tx: Tx,
  name: string,
  change: TopicChange,
  limits: TopicLimits,
): Promise<Topic | undefined> {
  await tx.lock("group", name);
  const old = await topic(tx, name);
  if (!old && change.kind === "add") {
    const { count } = (await tx.one<{ count: number }>(sql`SELECT count(*) AS count FROM url_groups`)) as {
      count: number;
    };
    if (count >= limits.urlGroups) refuseTopic(limits.urlGroups);
  }
  const next = changeTopic(name, old, change, limits, tx.now);
  if (!next) {
    await tx.run(sql`DELETE FROM url_groups WHERE name = ${name}`);
    return undefined;
  }
  await tx.run(
    sql`INSERT INTO url_groups (name, created_at, updated_at, endpoints, headers) VALUES (${name}, ${next.createdAt}, ${next.updatedAt}, ${JSON.stringify(next.endpoints)}, ${JSON.stringify(next.headers)})
      ON CONFLICT (name) DO UPDATE SET created_at = excluded.created_at, updated_at = excluded.updated_at,
        endpoints = excluded.endpoints, headers = excluded.headers`,
  );
  return next;
}

function toTopic(row: TopicRow): Topic {
  return {
    name: row.name,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    endpoints: JSON.parse(row.endpoints) as Topic["endpoints"],
    headers: JSON.parse(row.headers) as Topic["headers"],
  };
}
