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
  deadline INTEGER,             -- the run fails at this time, unless it has ended
  caller_ip TEXT NOT NULL,
  config TEXT NOT NULL,
  awaiting_configuration INTEGER NOT NULL,   -- 1 until its endpoint configures it
  capabilities TEXT,            -- the capabilities that its endpoint has sent
  identified INTEGER NOT NULL DEFAULT 0,  -- 1 once its endpoint has sent the header of the workflow protocol
  flow_key TEXT,
  response TEXT,
  dlq_id TEXT,
  invoker TEXT,                 -- for a child run: the step that invoked it
  parent INTEGER,
  parent_record TEXT,
  successor INTEGER,            -- the run that resumes this failed run
  origin TEXT,                  -- for a resumed run: the id of the first failed run in the chain
  inline INTEGER NOT NULL DEFAULT 0   -- 1 if its endpoint runs many steps in one delivery
) STRICT;
-- At most one run of an id is live.
CREATE UNIQUE INDEX runs_live ON runs (id) WHERE state = 'RUN_STARTED';
CREATE INDEX runs_id ON runs (id);
-- A step invokes at most one run.
CREATE UNIQUE INDEX runs_parent ON runs (parent, parent_record) WHERE parent IS NOT NULL;
CREATE INDEX runs_parent_live ON runs (parent) WHERE parent IS NOT NULL AND state = 'RUN_STARTED';
CREATE INDEX runs_ended ON runs (completed_at) WHERE completed_at IS NOT NULL AND dlq_id IS NULL;
CREATE INDEX runs_successor ON runs (successor) WHERE successor IS NOT NULL;
CREATE INDEX runs_deadline ON runs (deadline) WHERE deadline IS NOT NULL AND state = 'RUN_STARTED';
-- For counts over time.
CREATE INDEX runs_created ON runs (created_at);
CREATE INDEX runs_completed ON runs (completed_at, state) WHERE completed_at IS NOT NULL;

-- The right to append to a run, since the first delivery that offered it. It is apart from the run because
-- each append writes it, and the row of a run is long.
CREATE TABLE run_leases (
  run INTEGER PRIMARY KEY,
  number INTEGER NOT NULL,       -- the fencing token for appends: counts the deliveries that offered it
  holder INTEGER,                -- the message that has the right to append, while it is delivered
  invocation TEXT,               -- the invocation that appends under the lease: the first one that has
  in_progress TEXT              -- the steps without a record that may have begun, as JSON
) STRICT;

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
  record TEXT NOT NULL,         -- the record's key, unique within its run
  message TEXT NOT NULL,        -- the entry's id on the wire
  call_type TEXT NOT NULL,
  step TEXT,                    -- the name of the step of a record or of an attempt
  body BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  lease INTEGER                 -- the lease under which an invocation appended it: entries with one number ran in one delivery
) STRICT;
CREATE UNIQUE INDEX entries_record ON entries (run, record);
CREATE UNIQUE INDEX entries_position ON entries (run, position);

-- The engine writes a message once. Later, its endpoint may change the retry options, and the engine writes
-- the columns from `outcome` on at the end of the message.
CREATE TABLE messages (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  run INTEGER,
  entry INTEGER,                -- the last entry of the history that it delivers
  source INTEGER,               -- for a callback: the message that it reports
  awaits INTEGER,               -- the message whose end it waits for, for a limited time
  url TEXT NOT NULL,
  host TEXT NOT NULL,
  path TEXT NOT NULL,
  body BLOB,
  options TEXT NOT NULL,        -- delivery options, as JSON
  max_retries INTEGER NOT NULL,
  retry_delay TEXT,
  not_before INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  caller_ip TEXT NOT NULL,
  url_group TEXT,
  queue TEXT,
  flow_key TEXT,
  schedule TEXT,
  outcome TEXT,                 -- null until the message ends
  retried INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  delete_after INTEGER,         -- null: kept while another row refers to it
  reply_status INTEGER,         -- for a report: the answer to it
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

-- One row per message that hasn't ended, or whose withdrawn delivery may still be in progress.
CREATE TABLE due (
  message INTEGER PRIMARY KEY,
  status TEXT NOT NULL,
  at INTEGER,                   -- the next attempt or, during a delivery, the lease's end
  since INTEGER,                -- if not claimable: its due time or, once withdrawn, the lease's end
  retried INTEGER NOT NULL DEFAULT 0,
  fence INTEGER NOT NULL DEFAULT 0,   -- the fencing token: counts claims
  owner TEXT,                   -- the engine that delivers it
  kind TEXT NOT NULL,
  run INTEGER,
  queue TEXT,
  place INTEGER,                -- the message whose queue place it keeps: itself, or the reported one
  flow_key TEXT,
  destination TEXT             -- the destination that it waits for
) STRICT;
-- Finds due messages in the same time however many sleep. Messages that a claim can't take aren't in it.
CREATE INDEX due_at ON due (at) WHERE at IS NOT NULL;
CREATE INDEX due_run ON due (run) WHERE run IS NOT NULL;
CREATE INDEX due_queue ON due (queue, message) WHERE queue IS NOT NULL;
CREATE INDEX due_place ON due (place) WHERE place IS NOT NULL;
CREATE INDEX due_flow ON due (flow_key, status, since) WHERE flow_key IS NOT NULL;
CREATE INDEX due_destination ON due (destination, message) WHERE destination IS NOT NULL;

-- Failed attempts.
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
  removed INTEGER NOT NULL DEFAULT 0,  -- 1: removed from the dead letter queue, but still in its run's log
  fingerprint TEXT,             -- its group: the errors that differ only in their values
  error_name TEXT,
  pattern TEXT,                 -- the text of the error, with placeholders for its values
  step TEXT                     -- the name of the step that failed
) STRICT;
CREATE INDEX dlq_run ON dlq (run);
CREATE INDEX dlq_message ON dlq (message);
CREATE INDEX dlq_callback ON dlq (callback) WHERE callback IS NOT NULL;
CREATE INDEX dlq_kept ON dlq (created_at) WHERE removed = 0;
CREATE INDEX dlq_fingerprint ON dlq (fingerprint) WHERE removed = 0;

-- The outcomes of the rollbacks of a run's steps, in the order in which they ran.
CREATE TABLE rollbacks (
  seq INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  step INTEGER NOT NULL,
  record TEXT NOT NULL,
  at INTEGER                    -- when it was recorded
) STRICT;
CREATE UNIQUE INDEX rollbacks_step ON rollbacks (run, step);

CREATE TABLE waiters (
  seq INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  event TEXT,                   -- null for a sleep, which ends at its deadline
  record TEXT NOT NULL,         -- the key of the record that it will become
  open INTEGER NOT NULL,        -- 1 until its event comes or its deadline passes
  deadline INTEGER NOT NULL,
  wait TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX waiters_record ON waiters (run, record);
-- Only open waiters: a long run may have many closed ones.
CREATE INDEX waiters_open ON waiters (run, event) WHERE open = 1;
CREATE INDEX waiters_event ON waiters (event) WHERE open = 1;
CREATE INDEX waiters_deadline ON waiters (deadline) WHERE open = 1;

-- Events that came before a run waited for them.
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

-- The latest limits of each flow control key, and the deliveries that have begun in its current period.
CREATE TABLE flows (
  key TEXT PRIMARY KEY,
  parallelism INTEGER,
  rate INTEGER,
  period INTEGER NOT NULL,
  began_at INTEGER NOT NULL DEFAULT 0,
  begun INTEGER NOT NULL DEFAULT 0,
  wake_at INTEGER,              -- the start of the next period, if messages wait for it
  paused INTEGER NOT NULL DEFAULT 0,
  pinned_parallelism INTEGER NOT NULL DEFAULT 0,
  pinned_rate INTEGER NOT NULL DEFAULT 0,
  used_at INTEGER NOT NULL DEFAULT 0  -- the time when a message last used the key, to the minute
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

-- The occupied places of a queue. A message keeps a place from its turn until it and its callbacks end.
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
  limits TEXT NOT NULL,         -- the engine's limits when it accepted the schedule
  paused INTEGER NOT NULL DEFAULT 0,
  last_at INTEGER,
  next_at INTEGER,              -- null: paused, or without a further tick
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

-- Messages that stand for later messages of the same key, even after their end.
CREATE TABLE deduplications (
  key TEXT PRIMARY KEY,
  message TEXT NOT NULL,
  url TEXT NOT NULL,
  until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX deduplications_until ON deduplications (until);

-- The log of messages. The rows of a message and of its attempts stay as long as its log entries.
CREATE TABLE logs (
  seq INTEGER PRIMARY KEY,
  message INTEGER NOT NULL,
  state TEXT NOT NULL,
  at INTEGER NOT NULL,
  attempt INTEGER,              -- for a failed attempt: its row in failures
  due_at INTEGER                -- the time of the next attempt
) STRICT;
CREATE INDEX logs_message ON logs (message);
CREATE INDEX logs_at ON logs (at);

-- Small values that the engine keeps for itself, such as rotated keys.
CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The requests that have changed something by hand.
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  caller_ip TEXT NOT NULL,
  person TEXT                   -- who acted, as the request names them: several people may use one token
) STRICT;
CREATE INDEX audit_at ON audit (at);
