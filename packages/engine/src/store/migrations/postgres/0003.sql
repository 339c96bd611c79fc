-- The words of runs, for the search. The engine fills both tables in transactions of their own, after the history.

-- A text is the payload, a record or what else a run says: its key is the run's key times 2^20, plus its place in the run's
-- history, or plus 0.
CREATE TABLE search_texts (
  rowid BIGINT PRIMARY KEY,
  words tsvector NOT NULL
);
CREATE INDEX search_texts_words ON search_texts USING gin (words);

-- How much of a run's history has been indexed.
CREATE TABLE search_runs (
  run BIGINT PRIMARY KEY,
  created_at BIGINT NOT NULL,   -- a new run may get the key of a deleted one
  position BIGINT NOT NULL,
  size BIGINT NOT NULL,
  ended BIGINT NOT NULL,        -- 1 when nothing follows any more
  own TEXT NOT NULL             -- the version of the text with the place 0
);
