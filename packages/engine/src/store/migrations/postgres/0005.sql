-- Fingerprints of the signing keys that the engine has from its configuration, as a JSON list.
ALTER TABLE engines ADD COLUMN signing_keys TEXT COLLATE "C";
