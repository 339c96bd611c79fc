import { toText } from "../rules/bytes.ts";
import { isLive, type RunConfig, type RunState } from "../rules/run.ts";
import { MAX_SEARCHED, searchedRecord, searchedText, wordsOf } from "../rules/search.ts";
import { FIRST_RECORD, lastPosition } from "../store/tables/entries.ts";
import { forEach, numbers, SearchedWords, sql, strings, type Tx } from "../store/tx.ts";

/** Places of texts that belong to one run. */
const PLACES = 2 ** 20;

/** Entries that one call looks at: with long bodies they take some ten milliseconds. */
const MAX_ENTRIES = 50;

/** Characters of words that the index has of a run. */
const MAX_RUN_SIZE = 512 * 1024;

/** Failed attempts whose errors the index has, the latest. */
const MAX_FAILURES = 20;

/** A run, and how far the index has it. */
interface Row {
  readonly key: number;
  readonly id: string;
  readonly created_at: number;
  readonly state: RunState;
  readonly config: string;
  readonly response: string | null;
  /** The position of the last entry of its history. */
  readonly last: number | null;
  /** Whether attempts of it have failed, and whether it has dead letters: 0 or 1. */
  readonly failures: number;
  readonly letters: number;
  readonly indexed_created_at: number | null;
  readonly position: number | null;
  readonly size: number | null;
  readonly ended: number | null;
  readonly own: string | null;
}

interface Progress {
  readonly position: number;
  readonly size: number;
  readonly own: string;
}

/**
 * Adds to the index what the histories of runs have that the index hasn't.
 *
 * @returns the ids of the runs that need another call
 */
export async function indexRuns(tx: Tx, ids: readonly string[]): Promise<string[]> {
  // Another engine may be about to index the same run: this engine doesn't wait for it.
  const taken = await tx.tryLock("index", ...ids);
  const left = new Set(ids.filter((_, at) => !taken[at]));
  const rows = await tx.all<Row>(
    sql`SELECT runs.key, runs.id, runs.created_at, runs.state, runs.config, substr(runs.response, 1, ${MAX_SEARCHED}) AS response,
        ${lastPosition(sql`runs.key`)} AS last,
        CAST(EXISTS (SELECT 1 FROM messages JOIN failures ON failures.message = messages.seq WHERE messages.run = runs.key) AS integer) AS failures,
        CAST(EXISTS (SELECT 1 FROM dlq WHERE dlq.run = runs.key) AS integer) AS letters,
        search_runs.created_at AS indexed_created_at, position, size, ended, own
      FROM runs LEFT JOIN search_runs ON search_runs.run = runs.key
      WHERE runs.id IN (${strings(ids.filter((id) => !left.has(id)))})`,
  );
  const parts: Part[] = [];
  let room = MAX_ENTRIES;
  for (const row of rows) {
    if (row.ended === 1 && row.created_at === row.indexed_created_at && !isLive(row)) continue;
    const last = row.last ?? 0;
    if (room > 0) {
      const known = await progressOf(tx, row);
      const until = Math.max(known.position, Math.min(last, known.position + room));
      room -= until - known.position;
      parts.push({ row, known, until });
      if (until >= last) continue;
    }
    left.add(row.id);
  }
  const additions: Additions = { texts: [], runs: [] };
  const entries = await entriesOf(tx, parts);
  for (const part of parts) {
    const own = entries.filter(({ run }) => run === part.row.key);
    await indexRun(tx, part, { entries: own, additions });
  }
  sendAdditions(tx, additions);
  return [...left];
}

/** A part of a run's history that one call indexes: what follows on `known`, up to a position. */
interface Part {
  readonly row: Row;
  readonly known: Progress;
  readonly until: number;
}

async function entriesOf(tx: Tx, parts: readonly Part[]): Promise<EntryRow[]> {
  const columns = { run: "number", after: "number", until: "number" } as const;
  const asked = parts.map(({ row: { key: run }, known: { position: after }, until }) => {
    return { run, after, until };
  });
  return tx.allForEach<EntryRow>(
    forEach(columns, asked, (row, _from, join) => {
      return sql`SELECT entries.run, position, record, step, substr(body, 1, ${MAX_SEARCHED}) AS body FROM entries${join}
        WHERE entries.run = ${row.run} AND position > ${row.after} AND position <= ${row.until} ORDER BY entries.run, position`;
    }),
  );
}

/** The rows that one call adds to the index. */
interface Additions {
  readonly texts: { readonly rowid: number; readonly words: SearchedWords }[];
  readonly runs: IndexedRow[];
}

/** How far the index has a run from now on. */
interface IndexedRow extends Progress {
  readonly run: number;
  readonly created: number;
  readonly ended: number;
}

function sendAdditions(tx: Tx, { texts, runs }: Additions): void {
  tx.sendForEach(
    forEach({ rowid: "number", words: "words" }, texts, (row, from) => {
      return sql`INSERT INTO search_texts (rowid, words) SELECT ${row.rowid}, ${row.words}${from}`;
    }),
  );
  tx.sendForEach(
    forEach(INDEXED, runs, (row, from) => {
      // With the condition, the conflict's ON can't be that of a join.
      return sql`INSERT INTO search_runs (run, created_at, position, size, ended, own)
        SELECT ${row.run}, ${row.created}, ${row.position}, ${row.size}, ${row.ended}, ${row.own}${from} WHERE true
        ON CONFLICT (run) DO UPDATE SET created_at = excluded.created_at, position = excluded.position,
          size = excluded.size, ended = excluded.ended, own = excluded.own`;
    }),
  );
}

const INDEXED = {
  run: "number",
  created: "number",
  position: "number",
  size: "number",
  ended: "number",
  own: "string",
} as const;

interface Indexing {
  readonly entries: readonly EntryRow[];
  readonly additions: Additions;
}

async function indexRun(
  tx: Tx,
  { row, known, until }: Part,
  { entries, additions }: Indexing,
): Promise<void> {
  const hidden = (JSON.parse(row.config) as RunConfig).redact?.body === true;
  let { size } = known;
  for (const entry of entries) {
    if (size >= MAX_RUN_SIZE) break;
    const words = wordsOf(textOf(entry, hidden));
    size += addText(additions, row.key * PLACES + entry.position, words);
  }
  const own = await indexOwn(tx, row, { hidden, known: known.own, additions });
  const ended = !isLive(row) && until >= (row.last ?? 0) ? 1 : 0;
  if (until > known.position || own !== known.own || ended === 1) {
    additions.runs.push({ run: row.key, created: row.created_at, position: until, size, ended, own });
  }
}

/** How far the index has a run. Texts of another run that had its key, or of a history that is gone, are deleted. */
async function progressOf(tx: Tx, row: Row): Promise<Progress> {
  const nothing = { position: 0, size: 0, own: "" };
  if (row.indexed_created_at === null) return nothing;
  const { position, size, own } = row;
  const isSame = row.indexed_created_at === row.created_at && row.ended !== 1;
  if (isSame && position !== null && size !== null && own !== null) return { position, size, own };
  await unindexRuns(tx, [row.key]);
  return nothing;
}

interface EntryRow {
  readonly run: number;
  readonly position: number;
  readonly record: string;
  readonly step: string | null;
  /** Null for an empty one on SQLite, whose `substr` of no bytes is null. */
  readonly body: Uint8Array | null;
}

function textOf({ record, step, body }: EntryRow, hidden: boolean): string {
  const name = step ?? "";
  if (hidden || body === null) return name;
  return record === FIRST_RECORD ? searchedText(toText(body)) : `${name} ${searchedRecord(toText(body))}`;
}

/** Adds the words of a text. @returns their size, in characters */
function addText({ texts }: Additions, rowid: number, words: readonly string[]): number {
  if (words.length === 0) return 0;
  texts.push({ rowid, words: new SearchedWords(words) });
  return words.reduce((sum, word) => sum + word.length + 1, 0);
}

interface OwnText {
  /** Whether the run's texts aren't searched. */
  readonly hidden: boolean;
  /** The version that the index has. */
  readonly known: string;
  readonly additions: Additions;
}

/**
 * Indexes what a run says beside its history: its id and labels, its result and its errors.
 *
 * @returns the version of this text
 */
async function indexOwn(tx: Tx, row: Row, { hidden, known, additions }: OwnText): Promise<string> {
  const failures = row.failures === 1 ? await failuresOf(tx, row.key) : [];
  const letters = isLive(row) || row.letters === 0 ? [] : await lettersOf(tx, row.key);
  const version = `${row.state} ${failures.length} ${letters.length}`;
  if (version === known) return known;
  const { labels } = JSON.parse(row.config) as RunConfig;
  const result = hidden || row.response === null ? "" : searchedText(row.response);
  const errors = [...letters, ...failures].map(
    ({ error, body }) => `${error} ${hidden || !body ? "" : searchedText(toText(body))}`,
  );
  const text = [row.id, ...labels, result, ...errors].join(" ").slice(0, 2 * MAX_SEARCHED);
  const rowid = row.key * PLACES;
  if (known !== "") tx.send(sql`DELETE FROM search_texts WHERE rowid = ${rowid}`);
  addText(additions, rowid, wordsOf(text));
  return version;
}

interface FailureRow {
  readonly error: string;
  readonly body: Uint8Array | null;
}

function failuresOf(tx: Tx, run: number): Promise<FailureRow[]> {
  return tx.all<FailureRow>(
    sql`SELECT error, substr(failures.body, 1, ${MAX_SEARCHED}) AS body FROM failures JOIN messages ON messages.seq = failures.message
      WHERE messages.run = ${run} ORDER BY failures.at DESC, failures.message, failures.retried LIMIT ${MAX_FAILURES}`,
  );
}

function lettersOf(tx: Tx, run: number): Promise<FailureRow[]> {
  return tx.all<FailureRow>(
    sql`SELECT error, substr(body, 1, ${MAX_SEARCHED}) AS body FROM dlq WHERE run = ${run}`,
  );
}

/** Deletes the runs of these keys from the index. */
export async function unindexRuns(tx: Tx, keys: readonly number[]): Promise<void> {
  const rows = await tx.all<{ run: number; position: number }>(
    sql`SELECT run, position FROM search_runs WHERE run IN (${numbers(keys)})`,
  );
  for (const { run, position } of rows) {
    const places = Array.from({ length: position + 1 }, (_, place) => run * PLACES + place);
    tx.send(sql`DELETE FROM search_texts WHERE rowid IN (${numbers(places)})`);
  }
  tx.send(sql`DELETE FROM search_runs WHERE run IN (${numbers(keys)})`);
}

/** Rows that one call looks at. */
const MAX_LOOKED_AT = 1000;

/**
 * Deletes runs from the index that the database no longer has, some at a time.
 *
 * @returns the position to continue at; `undefined` at the end
 */
export async function pruneIndex(tx: Tx, after = 0): Promise<number | undefined> {
  const rows = await tx.all<{ run: number; kept: number | null }>(
    sql`SELECT page.run, runs.key AS kept FROM
        (SELECT run, created_at FROM search_runs WHERE run > ${after} ORDER BY run LIMIT ${MAX_LOOKED_AT}) AS page
      LEFT JOIN runs ON runs.key = page.run AND runs.created_at = page.created_at ORDER BY page.run`,
  );
  await unindexRuns(
    tx,
    rows.filter(({ kept }) => kept === null).map(({ run }) => run),
  );
  return rows.length < MAX_LOOKED_AT ? undefined : rows.at(-1)?.run;
}

/** Runs that the index may not have whole. */
export interface Unindexed {
  readonly ids: readonly string[];
  /** The position to continue at; absent at the end. */
  readonly next: number | undefined;
}

/** Finds runs with changes that the index may have missed, as after a crash: the newest first, some at a time. */
export async function unindexedRuns(tx: Tx, before: number = Number.MAX_SAFE_INTEGER): Promise<Unindexed> {
  const rows = await tx.all<{ key: number; id: string; ended: number | null }>(
    sql`SELECT page.key, page.id, search_runs.ended FROM
        (SELECT key, id, created_at FROM runs WHERE key < ${before} ORDER BY key DESC LIMIT ${MAX_LOOKED_AT}) AS page
      LEFT JOIN search_runs ON search_runs.run = page.key AND search_runs.created_at = page.created_at
      ORDER BY page.key DESC`,
  );
  return {
    ids: rows.filter(({ ended }) => ended !== 1).map(({ id }) => id),
    next: rows.length < MAX_LOOKED_AT ? undefined : rows.at(-1)?.key,
  };
}
