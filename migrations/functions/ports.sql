-- The ledger of ports. All of it under one lock: two claims never look for a free port at once.

-- What is in the way of a block: lines of others that hold it, cool down or are in quarantine. A wildcard is on every address. The game
-- may take back at once what it gave back itself.
CREATE OR REPLACE FUNCTION rtmanager.ports_in_the_way(engine text, game text, want jsonb, low integer, high integer)
RETURNS TABLE (port integer, quarantined_until timestamptz, holder text) LANGUAGE sql STABLE AS $$
  SELECT c.port, CASE WHEN c.quarantined_until > now() THEN c.quarantined_until END, CASE
    WHEN c.quarantined_until > now() THEN c.holder
    WHEN c.freed_at IS NULL THEN 'game ' || c.game_id
    ELSE format('game %s, which gave it back %s s ago: it cools down for 30 s', c.game_id, round(extract(epoch FROM now() - c.freed_at))) END
  FROM rtmanager.port_claims c
  WHERE c.engine_id = engine AND c.protocol = want->>'protocol' AND c.port BETWEEN low AND high
    AND (c.address = want->>'address' OR c.address IN ('0.0.0.0', '::') OR want->>'address' IN ('0.0.0.0', '::'))
    AND (c.freed_at IS NULL OR c.quarantined_until > now() OR (c.game_id <> game AND c.freed_at > now() - interval '30 s'))
$$;

-- The first port of a block that is the game's own already, and was before this claim; null: there is none.
CREATE OR REPLACE FUNCTION rtmanager.own_block(engine text, game text, want jsonb) RETURNS integer LANGUAGE sql STABLE AS $$
  SELECT min(c.port - (c.container_port - (want->>'container')::integer)) FROM rtmanager.port_claims c
  WHERE c.engine_id = engine AND c.game_id = game AND c.freed_at = now() AND c.protocol = want->>'protocol' AND c.address = want->>'address'
    AND c.container_port BETWEEN (want->>'container')::integer AND (want->>'container')::integer + (want->>'count')::integer - 1
  GROUP BY c.port - c.container_port HAVING count(*) = (want->>'count')::integer
  ORDER BY 1 LIMIT 1
$$;

-- The first port of the lowest block that is free; null: there is none. What is full is passed over 64 ports at a time; from there on it
-- walks along the lines as far as the first gap that is wide enough.
CREATE OR REPLACE FUNCTION rtmanager.free_block(engine text, game text, want jsonb, range jsonb) RETURNS integer LANGUAGE plpgsql STABLE AS $$
DECLARE
  wanted_protocol text := want->>'protocol';
  wanted_address text := want->>'address';
  everywhere boolean := want->>'address' IN ('0.0.0.0', '::');
  wanted integer := (want->>'count')::integer;
  low integer := (range->>'from')::integer;
  high integer := (range->>'to')::integer;
  first integer;
  taken integer;
BEGIN
  SELECT min(s.start) INTO first FROM generate_series(low, high, 64) s (start) WHERE s.start NOT IN (
    SELECT low + (c.port - low) / 64 * 64 FROM rtmanager.port_claims c
    WHERE c.engine_id = engine AND c.protocol = wanted_protocol AND c.port BETWEEN low AND high
      AND (everywhere OR c.address IN (wanted_address, '0.0.0.0', '::'))
      AND (c.freed_at IS NULL OR c.quarantined_until > now() OR (c.game_id <> game AND c.freed_at > now() - interval '30 s'))
    GROUP BY 1 HAVING count(DISTINCT c.port) = 64);
  FOR taken IN
    SELECT w.port FROM rtmanager.ports_in_the_way(engine, game, want, first, high) w ORDER BY w.port
  LOOP
    IF taken - first >= wanted THEN
      RETURN first;
    END IF;
    first := greatest(first, taken + 1);
  END LOOP;
  RETURN CASE WHEN high - first + 1 >= wanted THEN first END;
END $$;

CREATE OR REPLACE FUNCTION rtmanager.take_block(engine text, game text, want jsonb, first integer) RETURNS void LANGUAGE sql AS $$
  INSERT INTO rtmanager.port_claims AS c (engine_id, address, protocol, port, game_id, container_port)
  SELECT engine, want->>'address', want->>'protocol', first + n, game, (want->>'container')::integer + n
  FROM generate_series(0, (want->>'count')::integer - 1) n
  ON CONFLICT (engine_id, address, protocol, port) DO UPDATE SET game_id = excluded.game_id, container_port = excluded.container_port,
    claimed_at = CASE WHEN c.game_id = excluded.game_id THEN c.claimed_at ELSE excluded.claimed_at END,
    freed_at = NULL, quarantined_until = NULL, holder = NULL
$$;

-- Nobody gets a port from the range for so long after the engine found it taken.
CREATE OR REPLACE FUNCTION rtmanager.port_quarantine() RETURNS interval LANGUAGE sql IMMUTABLE AS 'SELECT interval ''5 min''';

CREATE OR REPLACE FUNCTION rtmanager.quarantine_ports(engine text, taken jsonb) RETURNS void LANGUAGE sql AS $$
  INSERT INTO rtmanager.port_claims (engine_id, address, protocol, port, game_id, freed_at, quarantined_until, holder)
  SELECT engine, t->>'address', t->>'protocol', (t->>'port')::integer, NULL, now(), now() + rtmanager.port_quarantine(), t->>'holder'
  FROM jsonb_array_elements(taken) t
  ON CONFLICT (engine_id, address, protocol, port) DO UPDATE SET game_id = NULL, container_port = NULL, freed_at = excluded.freed_at,
    quarantined_until = excluded.quarantined_until, holder = excluded.holder
$$;

-- Makes the game's ports on an engine those that it wants, all or none, and answers the first port of each want: {"firsts": [...]}. Where
-- one cannot be had all stays as it was but for the quarantine of what is taken: {"missing": number of the want, "holder": ...}.
CREATE OR REPLACE FUNCTION rtmanager.claim_ports(epoch bigint, claim jsonb) RETURNS jsonb LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  engine text := claim->>'engine_id';
  game text := claim->>'game_id';
  want jsonb;
  place integer;
  firsts integer[] := '{}';
  refusal text;
  in_the_way text;
BEGIN
  PERFORM rtmanager.fence(epoch);
  PERFORM pg_advisory_xact_lock(hashtext('rtmanager.port_claims'));
  PERFORM rtmanager.quarantine_ports(engine, claim->'taken');
  BEGIN
    -- What the game holds is its own to take again. now() marks it: it is the same in all of this.
    UPDATE rtmanager.port_claims SET freed_at = now() WHERE engine_id = engine AND game_id = game AND freed_at IS NULL;
    -- First what is the game's own or named, so that no other want takes it.
    FOR want, place IN SELECT w.value, w.ordinality - 1 FROM jsonb_array_elements(claim->'wants') WITH ORDINALITY w LOOP
      firsts[place] := coalesce((want->>'host')::integer, rtmanager.own_block(engine, game, want));
      CONTINUE WHEN firsts[place] IS NULL;
      -- Somebody who is not in the ledger may have let go of a named port by now: the engine is asked again. What it said just now holds.
      SELECT w.holder INTO in_the_way
      FROM rtmanager.ports_in_the_way(engine, game, want, firsts[place], firsts[place] + (want->>'count')::integer - 1) w
      WHERE w.quarantined_until IS NULL OR w.quarantined_until = now() + rtmanager.port_quarantine() ORDER BY w.port LIMIT 1;
      IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'RTM05', MESSAGE = jsonb_build_object('missing', place, 'holder', in_the_way)::text;
      END IF;
      PERFORM rtmanager.take_block(engine, game, want, firsts[place]);
    END LOOP;
    FOR want, place IN SELECT w.value, w.ordinality - 1 FROM jsonb_array_elements(claim->'wants') WITH ORDINALITY w LOOP
      CONTINUE WHEN firsts[place] IS NOT NULL;
      firsts[place] := rtmanager.free_block(engine, game, want, claim->'range');
      IF firsts[place] IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'RTM05', MESSAGE = jsonb_build_object('missing', place, 'holder', NULL)::text;
      END IF;
      PERFORM rtmanager.take_block(engine, game, want, firsts[place]);
    END LOOP;
    IF (claim->>'keep')::boolean THEN
      UPDATE rtmanager.port_claims SET freed_at = NULL WHERE engine_id = engine AND game_id = game AND freed_at = now();
    END IF;
  EXCEPTION WHEN SQLSTATE 'RTM05' THEN
    GET STACKED DIAGNOSTICS refusal = MESSAGE_TEXT;
    -- Of a game that the database has lost, rows and records, nobody thinks any more: it is looked at.
    INSERT INTO rtmanager.unsettled (game_id, generation)
    SELECT DISTINCT c.game_id, 0 FROM rtmanager.port_claims c WHERE c.engine_id = engine AND c.freed_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM rtmanager.games g WHERE g.game_id = c.game_id)
      AND NOT EXISTS (SELECT 1 FROM rtmanager.runtime_records r WHERE r.game_id = c.game_id)
    ON CONFLICT DO NOTHING;
    RETURN refusal::jsonb;
  END;
  RETURN jsonb_build_object('firsts', (SELECT coalesce(jsonb_agg(f ORDER BY n), '[]') FROM unnest(firsts) WITH ORDINALITY u (f, n)));
END $$;

-- What a step found to be used by nothing of its game. They cool down.
CREATE OR REPLACE FUNCTION rtmanager.free_ports(game text, freed jsonb) RETURNS void LANGUAGE sql AS $$
  UPDATE rtmanager.port_claims c SET freed_at = now()
  FROM jsonb_array_elements(freed->'ports') p
  WHERE c.engine_id = freed->>'engine_id' AND c.address = p->>'address' AND c.protocol = p->>'protocol' AND c.port = (p->>'port')::integer
    AND c.game_id = game AND c.freed_at IS NULL
$$;

-- A game that was removed, or that the database has lost, is surveyed for as long as it holds ports.
CREATE OR REPLACE FUNCTION rtmanager.mind_ports(game text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM rtmanager.runtime_records r WHERE r.game_id = game AND r.status <> 'removed')
    OR (EXISTS (SELECT 1 FROM rtmanager.games g WHERE g.game_id = game)
      AND NOT EXISTS (SELECT 1 FROM rtmanager.runtime_records r WHERE r.game_id = game)) THEN
    RETURN;
  ELSIF EXISTS (SELECT 1 FROM rtmanager.port_claims c WHERE c.game_id = game AND c.freed_at IS NULL) THEN
    INSERT INTO rtmanager.unsettled (game_id, generation) VALUES (game, 0) ON CONFLICT DO NOTHING;
  ELSE
    DELETE FROM rtmanager.unsettled WHERE game_id IN (
      SELECT u.game_id FROM rtmanager.unsettled u WHERE u.game_id = game FOR UPDATE SKIP LOCKED);
  END IF;
END $$;
REVOKE ALL ON FUNCTION rtmanager.ports_in_the_way, rtmanager.own_block, rtmanager.free_block, rtmanager.take_block, rtmanager.quarantine_ports,
  rtmanager.port_quarantine, rtmanager.claim_ports, rtmanager.free_ports, rtmanager.mind_ports FROM PUBLIC;
