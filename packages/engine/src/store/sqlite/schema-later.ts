/** The later part of the schema, under the same rules. */
export const LATER: readonly string[] = [
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
  `
  -- Withdrawn with its run while it was being delivered: the end of its lease. What undoes its step waits for that.
  ALTER TABLE messages ADD COLUMN landing INTEGER;
  CREATE INDEX messages_landing ON messages (run) WHERE landing IS NOT NULL;
  `,
  `
  -- When a message last had to do with a key: to the minute.
  ALTER TABLE flows ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;
  UPDATE flows SET used_at = began_at;
  UPDATE flows SET used_at = max(began_at, known.at)
    FROM (SELECT flow_key, max(created_at) AS at FROM messages WHERE flow_key IS NOT NULL GROUP BY flow_key) AS known
    WHERE known.flow_key = flows.key;
  CREATE INDEX flows_used ON flows (used_at) WHERE paused = 0 AND pinned_parallelism = 0 AND pinned_rate = 0;
  CREATE INDEX messages_flow ON messages (flow_key)
    WHERE flow_key IS NOT NULL AND state IN ('CREATED', 'ACTIVE', 'RETRY');
  `,
  `
  -- The run's endpoint has answered with the header of the workflow protocol.
  ALTER TABLE runs ADD COLUMN identified INTEGER NOT NULL DEFAULT 0;
  UPDATE runs SET identified = 1 WHERE traits IS NOT NULL;
  `,
];
