-- One reconcile step, all of it or nothing: adopted row, record, operations, health, messages, answers. It writes with the owner's
-- rights, which its caller needs not: what it may write is bound by the fence. The parts are for it alone, and see no schema but it sets.

-- The row of an adopted container. Somebody who wrote one meanwhile wished for something: the step was decided without it.
CREATE OR REPLACE FUNCTION rtmanager.adopt_row(game text, adopt jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO rtmanager.games (game_id, image_ref, state, restart_policy)
  VALUES (game, adopt->>'image_ref', adopt->>'state', adopt->>'restart_policy')
  ON CONFLICT (game_id) DO NOTHING;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the row of % was written meanwhile', game USING ERRCODE = 'RTM02';
  END IF;
END $$;

CREATE OR REPLACE FUNCTION rtmanager.write_operations(game text, operations jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO rtmanager.operation_log (game_id, op_kind, op_source, source_ref, image_ref, container_id, outcome, error_code,
    error_message, started_at, finished_at)
  SELECT game, o.op_kind, o.op_source, o.source_ref, o.image_ref, o.container_id, o.outcome, o.error_code, o.error_message,
    o.started_at, o.finished_at
  FROM jsonb_populate_recordset(NULL::rtmanager.operation_log, operations) o;
END $$;

CREATE OR REPLACE FUNCTION rtmanager.write_health(game text, health jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO rtmanager.health_snapshots AS h (game_id, container_id, event_type, occurred_at, details)
  SELECT game, s.container_id, s.event_type, s.occurred_at, s.details
  FROM jsonb_populate_record(NULL::rtmanager.health_snapshots, health) s
  ON CONFLICT (game_id) DO UPDATE SET container_id = excluded.container_id, event_type = excluded.event_type,
    occurred_at = excluded.occurred_at, details = excluded.details;
END $$;

CREATE OR REPLACE FUNCTION rtmanager.write_messages(game text, messages jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO rtmanager.outbox (topic, game_id, fields)
  SELECT m.value->>'topic', game, m.value->'fields'
  FROM jsonb_array_elements(messages) WITH ORDINALITY m ORDER BY m.ordinality;
END $$;

-- An answered job keeps its first answer, and nothing is told of another.
CREATE OR REPLACE FUNCTION rtmanager.write_answers(game text, answers jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  answer jsonb;
BEGIN
  FOR answer IN SELECT value FROM jsonb_array_elements(answers) LOOP
    UPDATE rtmanager.jobs SET outcome = answer->>'outcome', container_id = answer->>'container_id',
      engine_endpoint = answer->>'engine_endpoint', error_code = answer->>'error_code', error_message = answer->>'error_message',
      completed_at = now()
    WHERE id = (answer->>'id')::bigint AND outcome IS NULL;
    IF FOUND THEN
      PERFORM rtmanager.write_messages(game, jsonb_build_array(answer->'message'));
    END IF;
  END LOOP;
END $$;

CREATE OR REPLACE FUNCTION rtmanager.commit_step(epoch bigint, step jsonb) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  game text := step->>'game_id';
  -- The hash goes with the generation: a controller of a version that knows no hash observes one without saying which.
  written jsonb := '{"observed_hash": null}'::jsonb || (step->'record');
BEGIN
  PERFORM rtmanager.fence(epoch);
  IF step ? 'adopt' THEN
    PERFORM rtmanager.adopt_row(game, step->'adopt');
    -- The row is made here, and what it says with it.
    written := written || (SELECT jsonb_build_object('observed_hash', g.desired_hash) FROM rtmanager.games g WHERE g.game_id = game);
  END IF;
  IF step ? 'record' THEN
    PERFORM rtmanager.write_record(written, (step->>'expected_version')::bigint);
  END IF;
  IF step ? 'freed' THEN
    PERFORM rtmanager.free_ports(game, step->'freed');
  END IF;
  IF step ? 'freed' OR written->>'status' = 'removed' THEN
    PERFORM rtmanager.mind_ports(game);
  END IF;
  IF step->'operations' <> '[]' THEN
    PERFORM rtmanager.write_operations(game, step->'operations');
  END IF;
  IF step ? 'health' THEN
    PERFORM rtmanager.write_health(game, step->'health');
  END IF;
  IF step->'messages' <> '[]' THEN
    PERFORM rtmanager.write_messages(game, step->'messages');
  END IF;
  IF step->'answers' <> '[]' THEN
    PERFORM rtmanager.write_answers(game, step->'answers');
  END IF;
END $$;
REVOKE ALL ON FUNCTION rtmanager.commit_step, rtmanager.adopt_row, rtmanager.write_operations, rtmanager.write_health, rtmanager.write_messages,
  rtmanager.write_answers FROM PUBLIC;
