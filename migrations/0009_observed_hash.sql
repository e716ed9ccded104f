-- All that a row asks for, as one word, and the word that was observed last: rows that are made again without triggers (a restore of data
-- alone, session_replication_role = replica) have a generation that says nothing. Generated, so that nobody writes a row around it, and
-- of the system's functions alone, so that who may write rows needs no right for it. It never changes: hashes of another kind would say
-- that every row was written. None of the first three has a blank in it; the bytes are those of the text.
ALTER TABLE rtmanager.games ADD COLUMN desired_hash text NOT NULL GENERATED ALWAYS AS (
  encode(sha256(decode(replace(state || ' ' || image_ref || ' ' || restart_policy || ' ' || spec::text, E'\\', E'\\\\'), 'escape')), 'hex')
) STORED;
COMMENT ON COLUMN rtmanager.games.desired_hash IS 'Of state, image_ref, restart_policy and spec: equal for equal wishes, whatever the generation.';

-- null: not known, and the generation's word is taken. What was observed until now was what the row says under that generation. It is no
-- news of any game, and unsettles none.
ALTER TABLE rtmanager.runtime_records ADD COLUMN observed_hash text;
ALTER TABLE rtmanager.runtime_records DISABLE TRIGGER USER;
UPDATE rtmanager.runtime_records r SET observed_hash = g.desired_hash FROM rtmanager.games g
WHERE g.game_id = r.game_id AND g.generation = r.observed_generation;
ALTER TABLE rtmanager.runtime_records ENABLE TRIGGER USER;
