import { limitReached } from "../rules/engine-error.ts";
import {
  changeUrlGroup,
  type UrlGroup,
  type UrlGroupChange,
  type UrlGroupLimits,
} from "../rules/url-group.ts";
import { mapInSlices } from "../store/time-slices.ts";
import { sql, type Tx } from "../store/tx.ts";

interface UrlGroupRow {
  readonly name: string;
  readonly created_at: number;
  readonly updated_at: number;
  readonly endpoints: string;
  readonly headers: string;
}

export async function listUrlGroups(tx: Tx): Promise<UrlGroup[]> {
  return mapInSlices(await tx.many<UrlGroupRow>(sql`SELECT * FROM url_groups ORDER BY name`), toUrlGroup);
}

export async function getUrlGroup(tx: Tx, name: string): Promise<UrlGroup | undefined> {
  const row = await tx.one<UrlGroupRow>(sql`SELECT * FROM url_groups WHERE name = ${name}`);
  return row && toUrlGroup(row);
}

/**
 * Creates, changes or deletes a URL group.
 *
 * @returns the group as it is now; `undefined` when there is none
 * @throws EngineError `not_found` when there is none to change, `limit_reached` for one over the limits
 */
export async function updateUrlGroup(
  tx: Tx,
  name: string,
  change: UrlGroupChange,
  limits: UrlGroupLimits,
): Promise<UrlGroup | undefined> {
  await tx.lock("group", name);
  const old = await getUrlGroup(tx, name);
  if (!old && change.kind === "add") {
    await tx.lock("setting", "groups");
    const counted = await tx.one<{ count: number }>(sql`SELECT count(*) AS count FROM url_groups`);
    if ((counted?.count ?? 0) >= limits.urlGroups) throw limitReached("url group", limits.urlGroups);
  }
  const next = changeUrlGroup({ name, urlGroup: old }, change, limits, tx.now);
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

function toUrlGroup(row: UrlGroupRow): UrlGroup {
  return {
    name: row.name,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    endpoints: JSON.parse(row.endpoints) as UrlGroup["endpoints"],
    headers: JSON.parse(row.headers) as UrlGroup["headers"],
  };
}
