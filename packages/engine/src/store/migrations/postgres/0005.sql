-- The configuration that an engine compares with that of the others, as JSON. It contains fingerprints in place of secrets.
ALTER TABLE engines ADD COLUMN configuration TEXT COLLATE "C";
