import type { KnownWorkflow } from "../store/lists.ts";
import { sql, type Tx } from "../store/tx.ts";

/** The newest runs that the list looks at: a table of runs has no index of URLs. */
const MAX_LOOKED_AT = 10_000;
const MAX_URLS = 200;

/** The URLs of the workflows among the newest runs, the latest used first. */
export function workflowUrls(tx: Tx): Promise<KnownWorkflow[]> {
  return tx.all<KnownWorkflow>(
    sql`SELECT url, max(created_at) AS "lastAt" FROM
        (SELECT url, created_at FROM runs ORDER BY key DESC LIMIT ${MAX_LOOKED_AT}) AS newest
      GROUP BY url ORDER BY max(created_at) DESC, url LIMIT ${MAX_URLS}`,
  );
}
