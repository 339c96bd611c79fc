-- Times are milliseconds since 1970. Lists, options and headers are JSON. Flags are 0 or 1.

CREATE TABLE runs (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  url TEXT NOT NULL,
  host TEXT NOT NULL,
  path TEXT NOT NULL,
  state TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  completed_at INTEGER,
  deadline INTEGER,             -- when the run fails unless it has ended
  caller_ip TEXT NOT NULL,
  config TEXT NOT NULL,
  awaiting_configuration INTEGER NOT NULL,   -- its endpoint hasn't configured it yet
  capabilities TEXT,            -- what its endpoint has said that it can do
  identified INTEGER NOT NULL DEFAULT 0,  -- its endpoint has answered with the header of the workflow protocol
  flow_key TEXT,
  response TEXT,
  dlq_id TEXT,
  invoker TEXT,                 -- of a child: the step that has invoked it
  parent INTEGER,
  parent_record TEXT,
  successor INTEGER,            -- the run that goes on from where this one failed
  origin TEXT,                  -- of a run that goes on from where another one failed: the id of the first of them
  inline INTEGER NOT NULL DEFAULT 0,   -- its endpoint runs many steps in one delivery
  lease INTEGER NOT NULL DEFAULT 0,    -- the fencing token of the right to append: counts the deliveries that offered it
  holder INTEGER,               -- the message that has the right to append, while it is delivered
  in_progress TEXT              -- the steps that may have begun and aren't on record, as JSON
) STRICT;
-- An id has one live run at most.
CREATE UNIQUE INDEX runs_live ON runs (id) WHERE state = 'RUN_STARTED';
CREATE INDEX runs_id ON runs (id);
-- A step invokes one run at most.
CREATE UNIQUE INDEX runs_parent ON runs (parent, parent_record) WHERE parent IS NOT NULL;
CREATE INDEX runs_parent_live ON runs (parent) WHERE parent IS NOT NULL AND state = 'RUN_STARTED';
CREATE INDEX runs_ended ON runs (completed_at) WHERE completed_at IS NOT NULL AND dlq_id IS NULL;
CREATE INDEX runs_successor ON runs (successor) WHERE successor IS NOT NULL;
CREATE INDEX runs_deadline ON runs (deadline) WHERE deadline IS NOT NULL AND state = 'RUN_STARTED';

CREATE TABLE run_labels (
  label TEXT NOT NULL,
  run INTEGER NOT NULL,
  PRIMARY KEY (label, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_labels_run ON run_labels (run);

-- A run's history: append-only.
CREATE TABLE entries (
  seq INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  position INTEGER NOT NULL,    -- 1 for the payload, then without gaps, in the order of commits
  record TEXT NOT NULL,         -- what no two records of a run share
  message TEXT NOT NULL,        -- the id that the entry has on the wire
  call_type TEXT NOT NULL,
  body BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX entries_record ON entries (run, record);
CREATE UNIQUE INDEX entries_position ON entries (run, position);

-- What is delivered. Written once; how it is retried may be learned from its endpoint, and the columns from `outcome`
-- on are written at its end.
CREATE TABLE messages (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  run INTEGER,
  entry INTEGER,                -- the last entry of the history that it delivers
  source INTEGER,               -- of a callback: the message that it reports
  awaits INTEGER,               -- the message whose end it waits for, if not for too long
  url TEXT NOT NULL,
  host TEXT NOT NULL,
  path TEXT NOT NULL,
  body BLOB,
  options TEXT NOT NULL,        -- how it is delivered
  max_retries INTEGER NOT NULL,
  retry_delay TEXT,
  not_before INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  caller_ip TEXT NOT NULL,
  url_group TEXT,
  queue TEXT,
  flow_key TEXT,
  schedule TEXT,
  outcome TEXT,                 -- null: it isn't at its end
  retried INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  delete_after INTEGER,         -- null: kept for as long as something refers to it
  reply_status INTEGER,         -- of a report: the answer to it
  reply_headers TEXT,
  reply_body BLOB
) STRICT;
CREATE INDEX messages_run ON messages (run, outcome) WHERE run IS NOT NULL;
CREATE INDEX messages_cancel ON messages (run) WHERE kind = 'cancel';
CREATE INDEX messages_awaits ON messages (awaits) WHERE awaits IS NOT NULL;
CREATE INDEX messages_delete ON messages (delete_after) WHERE delete_after IS NOT NULL;

CREATE TABLE message_labels (
  label TEXT NOT NULL,
  message INTEGER NOT NULL,
  PRIMARY KEY (label, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_labels_message ON message_labels (message);

-- One row while something is to be done for a message, or while a withdrawn delivery of it may still be under way.
CREATE TABLE due (
  message INTEGER PRIMARY KEY,
  status TEXT NOT NULL,
  at INTEGER,                   -- when a claim takes it: the next attempt or, while it is delivered, the lease's end
  since INTEGER,                -- while no claim takes it: when it was due, or, once withdrawn, the lease's end
  retried INTEGER NOT NULL DEFAULT 0,
  fence INTEGER NOT NULL DEFAULT 0,   -- the fencing token: counts claims
  owner TEXT,                   -- the engine that delivers it
  kind TEXT NOT NULL,
  run INTEGER,
  queue TEXT,
  place INTEGER,                -- the message whose place in a queue it keeps: itself, or what it is a callback of
  flow_key TEXT,
  destination TEXT             -- the destination whose room it waits for
) STRICT;
-- Finding what can run takes the same time however many messages sleep, and what waits for something else isn't in it.
CREATE INDEX due_at ON due (at) WHERE at IS NOT NULL;
CREATE INDEX due_run ON due (run) WHERE run IS NOT NULL;
CREATE INDEX due_queue ON due (queue, message) WHERE queue IS NOT NULL;
CREATE INDEX due_place ON due (place) WHERE place IS NOT NULL;
CREATE INDEX due_flow ON due (flow_key, status, since) WHERE flow_key IS NOT NULL;
CREATE INDEX due_destination ON due (destination, message) WHERE destination IS NOT NULL;

-- Attempts that failed.
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
  callback INTEGER,             -- the message that reports it
  created_at INTEGER NOT NULL,
  error TEXT NOT NULL,
  by_engine INTEGER NOT NULL,
  status INTEGER,
  headers TEXT,
  body BLOB,
  removed INTEGER NOT NULL DEFAULT 0  -- not in the queue any more, but in its run's log
) STRICT;
CREATE INDEX dlq_run ON dlq (run);
CREATE INDEX dlq_message ON dlq (message);
CREATE INDEX dlq_callback ON dlq (callback) WHERE callback IS NOT NULL;
CREATE INDEX dlq_kept ON dlq (created_at) WHERE removed = 0;

-- What became of the rollbacks of a run's steps, in the order in which they were made.
CREATE TABLE rollbacks (
  seq INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  step INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX rollbacks_step ON rollbacks (run, step);

CREATE TABLE waiters (
  seq INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  event TEXT,                   -- null: a sleep, whose end is its deadline
  record TEXT NOT NULL,         -- what it will be recorded as
  open INTEGER NOT NULL,        -- nothing has come of it yet
  deadline INTEGER NOT NULL,
  wait TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX waiters_record ON waiters (run, record);
-- Without those that are over: a long run may have many of them.
CREATE INDEX waiters_open ON waiters (run, event) WHERE open = 1;
CREATE INDEX waiters_event ON waiters (event) WHERE open = 1;
CREATE INDEX waiters_deadline ON waiters (deadline) WHERE open = 1;

-- Events that came before they were waited for.
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

-- The latest limits of each key, and what has begun in its current period.
CREATE TABLE flows (
  key TEXT PRIMARY KEY,
  parallelism INTEGER,
  rate INTEGER,
  period INTEGER NOT NULL,
  began_at INTEGER NOT NULL DEFAULT 0,
  begun INTEGER NOT NULL DEFAULT 0,
  wake_at INTEGER,              -- some wait for the next period
  paused INTEGER NOT NULL DEFAULT 0,
  pinned_parallelism INTEGER NOT NULL DEFAULT 0,
  pinned_rate INTEGER NOT NULL DEFAULT 0,
  used_at INTEGER NOT NULL DEFAULT 0  -- when a message last had to do with the key: to the minute
) STRICT;
CREATE INDEX flows_wake ON flows (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX flows_used ON flows (used_at) WHERE paused = 0 AND pinned_parallelism = 0 AND pinned_rate = 0;

CREATE TABLE queues (
  name TEXT PRIMARY KEY,
  parallelism INTEGER NOT NULL,
  paused INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

-- The places of a queue that are kept: one from a message's turn until it and its callbacks are at their ends.
CREATE TABLE places (
  message INTEGER PRIMARY KEY,
  queue TEXT NOT NULL
) STRICT;
CREATE INDEX places_queue ON places (queue);

CREATE TABLE schedules (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  cron TEXT NOT NULL,
  destination TEXT NOT NULL,
  headers TEXT NOT NULL,
  body BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  caller_ip TEXT NOT NULL,
  limits TEXT NOT NULL,         -- those that held when it was accepted
  paused INTEGER NOT NULL DEFAULT 0,
  last_at INTEGER,
  next_at INTEGER,              -- null: paused, or never again
  last_states TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX schedules_next ON schedules (next_at) WHERE next_at IS NOT NULL;

CREATE TABLE url_groups (
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

-- What became of messages. What a message is, and what its attempts came to, stays in its own rows as long as these do.
CREATE TABLE logs (
  seq INTEGER PRIMARY KEY,
  message INTEGER NOT NULL,
  state TEXT NOT NULL,
  at INTEGER NOT NULL,
  attempt INTEGER,              -- of one that failed: its row in failures
  due_at INTEGER                -- when the next attempt is to be made
) STRICT;
CREATE INDEX logs_message ON logs (message);
CREATE INDEX logs_at ON logs (at);

-- Small things that the engine keeps for itself, such as rotated keys.
CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
