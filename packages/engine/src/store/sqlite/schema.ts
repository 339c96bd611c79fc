import { LATER } from "./schema-later.ts";

/**
 * Each text takes a database from the version of its index to the next one. Never change one that was released: add
 * another.
 *
 * Lists, options and headers are JSON. Times are milliseconds since 1970.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE runs (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    url TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    completed_at INTEGER,
    caller_ip TEXT NOT NULL,
    labels TEXT NOT NULL,        -- ",one,two,": found by ",one,"
    config TEXT NOT NULL,
    announced INTEGER NOT NULL,
    response TEXT,
    dlq_id TEXT
  ) STRICT;
  -- An id has one live run at most.
  CREATE UNIQUE INDEX runs_live ON runs (id) WHERE state = 'RUN_STARTED';
  CREATE INDEX runs_id ON runs (id);

  CREATE TABLE entries (
    seq INTEGER PRIMARY KEY,     -- the order of a run's history
    run INTEGER NOT NULL,
    record TEXT NOT NULL,        -- what no two records of a run share
    message TEXT NOT NULL,
    call_type TEXT NOT NULL,
    body TEXT NOT NULL,          -- base64, as it travels
    created_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX entries_run ON entries (run);
  CREATE UNIQUE INDEX entries_record ON entries (run, record);

  CREATE TABLE messages (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    purpose TEXT NOT NULL,
    state TEXT NOT NULL,
    due_at INTEGER,              -- the next attempt or the lease's end; null: nothing to do
    fence INTEGER NOT NULL DEFAULT 0,
    retried INTEGER NOT NULL DEFAULT 0,
    run INTEGER,
    entry INTEGER,               -- the last entry of the history that it delivers
    url TEXT NOT NULL,
    method TEXT NOT NULL,
    forward TEXT NOT NULL,
    content_type TEXT,
    body BLOB,
    max_retries INTEGER NOT NULL,
    retry_delay TEXT,
    timeout INTEGER,
    not_before INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    caller_ip TEXT NOT NULL,
    labels TEXT NOT NULL,
    redact TEXT,
    failure_callback TEXT,
    reply_status INTEGER,        -- of a failure's report: its last answer
    reply_headers TEXT,
    reply_body BLOB,
    forget_at INTEGER            -- null: kept
  ) STRICT;
  -- Finding what is due takes the same time however many messages sleep.
  CREATE INDEX messages_due ON messages (due_at) WHERE due_at IS NOT NULL;
  -- Without the delivered ones: a long run has many of them.
  CREATE INDEX messages_run ON messages (run) WHERE run IS NOT NULL AND state <> 'DELIVERED';
  CREATE INDEX messages_forget ON messages (forget_at) WHERE forget_at IS NOT NULL;

  CREATE TABLE failures (
    message INTEGER NOT NULL,
    retried INTEGER NOT NULL,
    at INTEGER NOT NULL,
    error TEXT NOT NULL,
    by_engine INTEGER NOT NULL,
    status INTEGER,
    headers TEXT,
    body BLOB,
    PRIMARY KEY (message, retried)
  ) STRICT;

  CREATE TABLE dlq (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    message INTEGER NOT NULL,
    run INTEGER,
    callback INTEGER,            -- the message that reports it
    created_at INTEGER NOT NULL,
    error TEXT NOT NULL,
    by_engine INTEGER NOT NULL,
    status INTEGER,
    headers TEXT,
    body BLOB
  ) STRICT;
  CREATE INDEX dlq_run ON dlq (run);
  `,
  `
  -- A run that another one has invoked.
  ALTER TABLE runs ADD COLUMN invoker TEXT;
  ALTER TABLE runs ADD COLUMN parent INTEGER;
  ALTER TABLE runs ADD COLUMN parent_record TEXT;
  ALTER TABLE runs ADD COLUMN flow_key TEXT;
  ALTER TABLE runs ADD COLUMN successor INTEGER;  -- the run that goes on from where this one failed
  -- A step invokes one run at most.
  CREATE UNIQUE INDEX runs_parent ON runs (parent, parent_record) WHERE parent IS NOT NULL;
  CREATE INDEX runs_parent_live ON runs (parent) WHERE parent IS NOT NULL AND state = 'RUN_STARTED';

  ALTER TABLE messages ADD COLUMN callback TEXT;
  ALTER TABLE messages ADD COLUMN flow TEXT;
  ALTER TABLE messages ADD COLUMN flow_key TEXT;
  ALTER TABLE messages ADD COLUMN parked INTEGER; -- due since then, but its key admits no more
  CREATE INDEX messages_parked ON messages (flow_key, parked) WHERE parked IS NOT NULL;
  CREATE INDEX messages_flowing ON messages (flow_key) WHERE flow_key IS NOT NULL AND state = 'ACTIVE';

  -- The latest limits of each key, and what has begun in its current period.
  CREATE TABLE flows (
    key TEXT PRIMARY KEY,
    parallelism INTEGER,
    rate INTEGER,
    period INTEGER NOT NULL,
    began_at INTEGER NOT NULL DEFAULT 0,
    begun INTEGER NOT NULL DEFAULT 0,
    wake_at INTEGER              -- some wait for the next period
  ) STRICT;
  CREATE INDEX flows_wake ON flows (wake_at) WHERE wake_at IS NOT NULL;

  CREATE TABLE waiters (
    seq INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    event TEXT NOT NULL,
    record TEXT NOT NULL,        -- what it will be recorded as
    open INTEGER NOT NULL,       -- nothing has come of it yet
    deadline INTEGER NOT NULL,
    wait TEXT NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX waiters_record ON waiters (run, record);
  -- Without those that are over: a long run may have many of them.
  CREATE INDEX waiters_open ON waiters (run, event) WHERE open = 1;
  CREATE INDEX waiters_event ON waiters (event) WHERE open = 1;
  CREATE INDEX waiters_deadline ON waiters (deadline) WHERE open = 1;

  -- What came before it was waited for.
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    event TEXT NOT NULL,
    data BLOB NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX events_run ON events (run, event);

  CREATE TABLE webhooks (
    run INTEGER NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (run, event)
  ) STRICT, WITHOUT ROWID;

  -- Not in the queue any more, but in its run's log.
  ALTER TABLE dlq ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- The URL group that a message was published to.
  ALTER TABLE messages ADD COLUMN topic_name TEXT;
  ALTER TABLE messages ADD COLUMN endpoint_name TEXT;

  CREATE TABLE topics (
    name TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    endpoints TEXT NOT NULL,
    headers TEXT NOT NULL
  ) STRICT;

  -- What stands for other messages of the same key, also when it is at its end.
  CREATE TABLE deduplications (
    key TEXT PRIMARY KEY,
    message TEXT NOT NULL,
    url TEXT NOT NULL,
    until INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX deduplications_until ON deduplications (until);
  `,
  `
  -- Of a callback: the message that it reports.
  ALTER TABLE messages ADD COLUMN source INTEGER;
  `,
  ...LATER,
];
