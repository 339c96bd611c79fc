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
  `
  CREATE TABLE queues (
    name TEXT PRIMARY KEY,
    parallelism INTEGER NOT NULL,
    paused INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT;

  -- The places of a queue that are kept: one from a message's turn until it and its callbacks are at their ends.
  CREATE TABLE slots (
    message INTEGER PRIMARY KEY,
    queue TEXT NOT NULL
  ) STRICT;
  CREATE INDEX slots_queue ON slots (queue);

  ALTER TABLE messages ADD COLUMN queue TEXT;
  ALTER TABLE messages ADD COLUMN slot INTEGER;   -- the message whose place it keeps: itself, or what it is a callback of
  ALTER TABLE messages ADD COLUMN held INTEGER;   -- due since then, but it isn't its turn, or its queue is paused
  CREATE INDEX messages_slot ON messages (slot) WHERE slot IS NOT NULL;
  CREATE INDEX messages_turn ON messages (queue, seq) WHERE held IS NOT NULL AND slot IS NULL;
  CREATE INDEX messages_queue ON messages (queue) WHERE queue IS NOT NULL AND due_at IS NOT NULL;
  `,
  `
  CREATE TABLE schedules (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    cron TEXT NOT NULL,
    destination TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    caller_ip TEXT NOT NULL,
    limits TEXT NOT NULL,        -- those that held when it was accepted
    paused INTEGER NOT NULL DEFAULT 0,
    last_at INTEGER,
    next_at INTEGER,             -- null: paused, or never again
    last_states TEXT NOT NULL DEFAULT '{}'
  ) STRICT;
  CREATE INDEX schedules_next ON schedules (next_at) WHERE next_at IS NOT NULL;
  ALTER TABLE messages ADD COLUMN schedule TEXT;
  `,
  `
  ALTER TABLE flows ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE flows ADD COLUMN pinned_parallelism INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE flows ADD COLUMN pinned_rate INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- What became of messages. What a message is, and what its attempts came to, stays in its own rows as long as these do.
  CREATE TABLE logs (
    seq INTEGER PRIMARY KEY,
    message INTEGER NOT NULL,
    state TEXT NOT NULL,
    at INTEGER NOT NULL,
    attempt INTEGER,             -- of one that failed: its row in failures
    due_at INTEGER               -- when the next attempt is to be made
  ) STRICT;
  CREATE INDEX logs_message ON logs (message);
  CREATE INDEX logs_at ON logs (at);

  CREATE INDEX dlq_message ON dlq (message);
  CREATE INDEX dlq_callback ON dlq (callback) WHERE callback IS NOT NULL;
  CREATE INDEX dlq_kept ON dlq (created_at) WHERE removed = 0;

  -- What has left the queue doesn't keep its run.
  UPDATE runs SET dlq_id = NULL WHERE key IN (SELECT run FROM dlq WHERE removed = 1);
  CREATE INDEX runs_ended ON runs (completed_at) WHERE completed_at IS NOT NULL AND dlq_id IS NULL;
  CREATE INDEX runs_successor ON runs (successor) WHERE successor IS NOT NULL;
  `,
  `
  -- What a run's endpoint wants to be done for it, and when it has failed unless it has ended.
  ALTER TABLE runs ADD COLUMN traits TEXT;
  ALTER TABLE runs ADD COLUMN deadline INTEGER;
  CREATE INDEX runs_deadline ON runs (deadline) WHERE deadline IS NOT NULL AND state = 'RUN_STARTED';

  -- What became of the rollbacks of a run's steps, in the order in which they were made.
  CREATE TABLE rollbacks (
    seq INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    step INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX rollbacks_step ON rollbacks (run, step);

  ALTER TABLE messages ADD COLUMN next INTEGER; -- the message that waits for the end of this one
  CREATE INDEX messages_cancel ON messages (run) WHERE purpose = 'cancel';
  `,
  `
  -- Small things that the engine keeps for itself, such as rotated keys.
  CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- Admitted, but its destination has no room: it waits for that.
  ALTER TABLE messages ADD COLUMN lane TEXT;
  CREATE INDEX messages_lane ON messages (lane, seq) WHERE lane IS NOT NULL;
  `,
];
