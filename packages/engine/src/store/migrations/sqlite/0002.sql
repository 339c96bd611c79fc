-- The group of a dead letter: the errors that differ only in their values.
ALTER TABLE dlq ADD COLUMN fingerprint TEXT;
ALTER TABLE dlq ADD COLUMN error_name TEXT;
-- The text of the error, with placeholders for its values.
ALTER TABLE dlq ADD COLUMN pattern TEXT;
-- The name of the step that failed.
ALTER TABLE dlq ADD COLUMN step TEXT;
CREATE INDEX dlq_fingerprint ON dlq (fingerprint) WHERE removed = 0;

-- For counts over time.
CREATE INDEX runs_created ON runs (created_at);
CREATE INDEX runs_completed ON runs (completed_at, state) WHERE completed_at IS NOT NULL;

-- The requests that have changed something by hand.
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  caller_ip TEXT NOT NULL
) STRICT;
CREATE INDEX audit_at ON audit (at);
