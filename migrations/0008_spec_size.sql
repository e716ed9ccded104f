-- One row must not be more than a controller can hold. Rows that break it from before are told as `SpecValid=False`; what is not to run
-- may stay as it is, so that such a game can be stopped and removed.
ALTER TABLE rtmanager.games ADD CONSTRAINT "spec of a game to run takes at most 262144 bytes"
  CHECK (state <> 'running' OR octet_length(spec::text) <= 262144) NOT VALID;
