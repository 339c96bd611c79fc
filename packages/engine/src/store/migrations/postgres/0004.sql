-- The lease under which an invocation appended the entry: entries with one number ran in one delivery.
ALTER TABLE entries ADD COLUMN lease BIGINT;
-- When the rollback was recorded.
ALTER TABLE rollbacks ADD COLUMN at BIGINT;
-- The person who acted, as the request names them: several people may use one token.
ALTER TABLE audit ADD COLUMN person TEXT COLLATE "C";
