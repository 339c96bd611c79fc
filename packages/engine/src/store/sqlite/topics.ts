import {
  changeTopic,
  refuseTopic,
  type Topic,
  type TopicChange,
  type TopicLimits,
} from "../../domain/topic.ts";
import type { Database } from "./database.ts";

interface TopicRow {
  readonly name: string;
  readonly created_at: number;
  readonly updated_at: number;
  readonly endpoints: string;
  readonly headers: string;
}

export function topics(db: Database): Topic[] {
  return db.all<TopicRow>("SELECT * FROM topics ORDER BY name").map(toTopic);
}

export function topic(db: Database, name: string): Topic | undefined {
  const row = db.get<TopicRow>("SELECT * FROM topics WHERE name = ?", name);
  return row && toTopic(row);
}

export function updateTopic(
  db: Database,
  name: string,
  change: TopicChange,
  limits: TopicLimits,
  now: number,
): Topic | undefined {
  const old = topic(db, name);
  if (!old && change.kind === "add") {
    const { count } = db.get<{ count: number }>("SELECT count(*) AS count FROM topics") as { count: number };
    if (count >= limits.urlGroups) refuseTopic(limits.urlGroups);
  }
  const next = changeTopic(name, old, change, limits, now);
  if (!next) {
    db.run("DELETE FROM topics WHERE name = ?", name);
    return undefined;
  }
  db.run(
    "INSERT OR REPLACE INTO topics (name, created_at, updated_at, endpoints, headers) VALUES (?, ?, ?, ?, ?)",
    name,
    next.createdAt,
    next.updatedAt,
    JSON.stringify(next.endpoints),
    JSON.stringify(next.headers),
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
