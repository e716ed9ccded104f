-- An end with an exit code that its row never restarts on.
ALTER TABLE rtmanager.runtime_records ADD COLUMN final_exit boolean NOT NULL DEFAULT false;
