-- What is needed to survive restores: entries are known by the life of their stream too, and which history of the database was
-- worked on last. Specs, which may hold secrets, leave the jobs.
ALTER TABLE rtmanager.jobs ADD COLUMN life text NOT NULL DEFAULT '';
ALTER TABLE rtmanager.jobs DROP CONSTRAINT jobs_stream_entry_id_key;
ALTER TABLE rtmanager.jobs ADD CONSTRAINT jobs_entry UNIQUE (stream, life, entry_id);
COMMENT ON COLUMN rtmanager.jobs.life IS 'Of the stream: an id that is lost with it, so that entry ids used again are new ones. Empty: of before there were lives.';

CREATE TABLE rtmanager.history (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  noted text NOT NULL
);
COMMENT ON TABLE rtmanager.history IS 'The server and timeline that jobs were taken on last. Another one may lack the last commits.';

UPDATE rtmanager.jobs SET payload = payload - 'spec' WHERE payload ? 'spec';
