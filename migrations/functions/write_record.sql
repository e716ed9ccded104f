-- Writes a record whose version is still `expected` (0: there is none yet); else somebody wrote it meanwhile.
--
-- The function is made from the table's columns, and this file is applied again after each migration: a new field of the
-- record is a column there and a field of the document, nothing here. A column that the document does not name keeps its
-- value, or gets its default: an older controller knows nothing of it.
DO $make$
DECLARE
  columns text;
  changed text;
  fresh text;
BEGIN
  SELECT string_agg(c.name, ', '), string_agg('n.' || c.name, ', '),
    string_agg(CASE WHEN c.initial IS NULL THEN 'n.' || c.name ELSE format('coalesce(n.%s, %s)', c.name, c.initial) END, ', ')
  INTO columns, changed, fresh
  FROM (
    SELECT quote_ident(a.attname) AS name, pg_get_expr(d.adbin, d.adrelid) AS initial
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = 'rtmanager.runtime_records'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      AND a.attname NOT IN ('game_id', 'version', 'created_at', 'updated_at')
    ORDER BY a.attnum
  ) c;
  EXECUTE format($function$
    CREATE OR REPLACE FUNCTION rtmanager.write_record(doc jsonb, expected bigint) RETURNS void LANGUAGE plpgsql AS $body$
    DECLARE
      game text := doc->>'game_id';
    BEGIN
      IF expected = 0 THEN
        INSERT INTO rtmanager.runtime_records (game_id, version, %1$s)
        SELECT game, 1, %3$s FROM jsonb_populate_record(NULL::rtmanager.runtime_records, doc) n
        ON CONFLICT (game_id) DO NOTHING;
      ELSE
        UPDATE rtmanager.runtime_records r SET (version, %1$s) = (
          SELECT expected + 1, %2$s FROM jsonb_populate_record(r, doc) n
        ) WHERE r.game_id = game AND r.version = expected;
      END IF;
      IF NOT FOUND THEN
        RAISE EXCEPTION 'the record of %% was written meanwhile', game USING ERRCODE = 'RTM02';
      END IF;
    END $body$
  $function$, columns, changed, fresh);
END $make$;
REVOKE ALL ON FUNCTION rtmanager.write_record FROM PUBLIC;
