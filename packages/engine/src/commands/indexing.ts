import { indexRuns, pruneIndex, unindexedRuns, unindexRuns } from "./index-runs.ts";
import { command, query } from "./operation.ts";

/**
 * The operations that fill the index of the search. The store of a SQLite file runs them in a thread, so their arguments
 * and results must be plain data.
 */
export const INDEXING = {
  indexRuns: command(indexRuns),
  unindexRuns: command(unindexRuns),
  pruneIndex: command(pruneIndex),
  unindexedRuns: query(unindexedRuns),
};
