-- Triggers of the desired rows. They run in the sessions of people and programs, and call nobody's functions but the system's.

-- The generation counts changes of what is desired, and nothing else moves it.
CREATE OR REPLACE FUNCTION rtmanager.games_before_write() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    -- The mark of a deleted row keeps what it had; of a game that is over a number says nothing else.
    IF NEW.state <> 'removed' OR NEW.generation NOT BETWEEN 1 AND 9007199254740991 THEN
      NEW.generation := 1;
      NEW.created_at := now();
    END IF;
    NEW.updated_at := now();
    RETURN NEW;
  END IF;
  IF NEW.game_id <> OLD.game_id THEN
    RAISE EXCEPTION 'game_id of % cannot change', OLD.game_id USING ERRCODE = 'check_violation',
      HINT = 'Insert a row for the other game.';
  END IF;
  IF OLD.state = 'removed' AND NEW.state <> 'removed' THEN
    RAISE EXCEPTION 'game % was removed, and removed is for good', OLD.game_id USING ERRCODE = 'check_violation',
      HINT = 'Use a new game_id.';
  END IF;
  NEW.created_at := OLD.created_at;
  IF (NEW.state, NEW.image_ref, NEW.restart_policy, NEW.spec) IS DISTINCT FROM (OLD.state, OLD.image_ref, OLD.restart_policy, OLD.spec) THEN
    NEW.generation := OLD.generation + 1;
    NEW.updated_at := now();
  ELSE
    NEW.generation := OLD.generation;
    -- Equal numbers may be written otherwise (1.0, 1.00), and `desired_hash` is made of the text.
    NEW.spec := OLD.spec;
    IF NEW.restart_requested_at IS NOT DISTINCT FROM OLD.restart_requested_at THEN
      NEW.updated_at := OLD.updated_at;
    ELSE
      NEW.updated_at := now();
    END IF;
  END IF;
  RETURN NEW;
END $$;

-- The state goes along, so that the listener knows whether it is a stop without a look.
CREATE OR REPLACE FUNCTION rtmanager.games_after_write() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' OR NEW.generation <> OLD.generation OR NEW.restart_requested_at IS DISTINCT FROM OLD.restart_requested_at THEN
    PERFORM pg_notify('rtmanager_games', NEW.state || ' ' || NEW.game_id);
  END IF;
  RETURN NULL;
END $$;

-- DELETE marks, as it does in Kubernetes: absence would be no order.
-- As the owner: who may delete need not be able to insert.
CREATE OR REPLACE FUNCTION rtmanager.games_mark_removed() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO rtmanager.games (game_id, state, image_ref, restart_policy, spec, generation, created_at)
  VALUES (OLD.game_id, 'removed', OLD.image_ref, OLD.restart_policy, OLD.spec,
    OLD.generation + CASE WHEN OLD.state = 'removed' THEN 0 ELSE 1 END, OLD.created_at);
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION rtmanager.refuse() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION '% of % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation', HINT = TG_ARGV[0];
END $$;
REVOKE ALL ON FUNCTION rtmanager.games_before_write, rtmanager.games_after_write, rtmanager.games_mark_removed, rtmanager.refuse FROM PUBLIC;
