-- One reconcile step, all of it or nothing: record (compare-and-set on its version), operations, health, messages, answers.
CREATE FUNCTION rtmanager.write_record(doc jsonb, expected bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  new_record rtmanager.runtime_records%ROWTYPE := jsonb_populate_record(NULL::rtmanager.runtime_records, doc);
BEGIN
  new_record.version := expected + 1;
  IF expected = 0 THEN
    new_record.created_at := now();
    INSERT INTO rtmanager.runtime_records SELECT new_record.* ON CONFLICT (game_id) DO NOTHING;
  ELSE
    UPDATE rtmanager.runtime_records SET (
      status, current_container_id, current_image_ref, engine_endpoint, engine_id, spec_hash, observed_generation, conditions,
      restart_count, next_restart_at, failure_count, last_error_code, last_error_reason, last_error_message, exit_code,
      oom_killed, started_at, stopped_at, stopping_since, removed_at, version
    ) = (
      new_record.status, new_record.current_container_id, new_record.current_image_ref, new_record.engine_endpoint,
      new_record.engine_id, new_record.spec_hash, new_record.observed_generation, new_record.conditions,
      new_record.restart_count, new_record.next_restart_at, new_record.failure_count, new_record.last_error_code,
      new_record.last_error_reason, new_record.last_error_message, new_record.exit_code, new_record.oom_killed,
      new_record.started_at, new_record.stopped_at, new_record.stopping_since, new_record.removed_at, new_record.version
    ) WHERE game_id = new_record.game_id AND version = expected;
  END IF;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the record of % was written meanwhile', new_record.game_id USING ERRCODE = 'RTM02';
  END IF;
END $$;

CREATE FUNCTION rtmanager.commit_step(epoch bigint, step jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  game text := step->>'game_id';
  answer jsonb;
BEGIN
  PERFORM rtmanager.fence(epoch);
  IF step ? 'adopt' THEN
    INSERT INTO rtmanager.games (game_id, image_ref, state, restart_policy)
    VALUES (game, step->'adopt'->>'image_ref', step->'adopt'->>'state', step->'adopt'->>'restart_policy')
    ON CONFLICT (game_id) DO NOTHING;
  END IF;
  IF step ? 'record' THEN
    PERFORM rtmanager.write_record(step->'record', (step->>'expected_version')::bigint);
  END IF;
  INSERT INTO rtmanager.operation_log (game_id, op_kind, op_source, source_ref, image_ref, container_id, outcome, error_code,
    error_message, started_at, finished_at)
  SELECT game, o.op_kind, o.op_source, o.source_ref, o.image_ref, o.container_id, o.outcome, o.error_code, o.error_message,
    o.started_at, o.finished_at
  FROM jsonb_populate_recordset(NULL::rtmanager.operation_log, step->'operations') o;
  INSERT INTO rtmanager.health_snapshots AS h (game_id, container_id, event_type, occurred_at, details)
  SELECT game, s.container_id, s.event_type, s.occurred_at, s.details
  FROM jsonb_populate_record(NULL::rtmanager.health_snapshots, step->'health') s WHERE step ? 'health'
  ON CONFLICT (game_id) DO UPDATE SET container_id = excluded.container_id, event_type = excluded.event_type,
    occurred_at = excluded.occurred_at, details = excluded.details;
  INSERT INTO rtmanager.outbox (topic, game_id, fields)
  SELECT m.value->>'topic', game, m.value->'fields'
  FROM jsonb_array_elements(step->'messages') WITH ORDINALITY m ORDER BY m.ordinality;
  FOR answer IN SELECT value FROM jsonb_array_elements(step->'answers') LOOP
    UPDATE rtmanager.jobs SET outcome = answer->>'outcome', container_id = answer->>'container_id',
      engine_endpoint = answer->>'engine_endpoint', error_code = answer->>'error_code', error_message = answer->>'error_message',
      completed_at = now()
    WHERE id = (answer->>'id')::bigint AND outcome IS NULL;
    IF FOUND THEN
      INSERT INTO rtmanager.outbox (topic, game_id, fields) VALUES (answer->'message'->>'topic', game, answer->'message'->'fields');
    END IF;
  END LOOP;
END $$;
