-- Takes the lease if it is free, run out, or the asker's own: then `taken` is the new epoch, else null, and the rest says who
-- holds it. The asker says for how long (ms) it wants it.
--
-- A holder that dies while the clock is an hour ahead must not hold the others up for an hour: it has its own time since its
-- last renewal, and a renewal that is still to come happened now. A row that is gone is made anew, held by 'unknown': whoever
-- held it may act on until it finds that out.
CREATE OR REPLACE FUNCTION rtmanager.acquire_lease(asker text, asked_ms bigint, OUT taken bigint, OUT held_by text,
  OUT held_epoch bigint, OUT held_ms bigint, OUT renewed_ago_ms bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  at timestamptz := clock_timestamp();
  asked interval := asked_ms * interval '1 millisecond';
  held rtmanager.lease%ROWTYPE;
  own interval;
BEGIN
  INSERT INTO rtmanager.lease (name, holder, epoch, renewed_at, expires_at, ttl_ms)
  SELECT 'controller', 'unknown', nextval('rtmanager.lease_epoch'), at, at + asked, asked_ms
  WHERE NOT EXISTS (SELECT 1 FROM rtmanager.lease WHERE name = 'controller') ON CONFLICT DO NOTHING;

  SELECT * INTO held FROM rtmanager.lease l WHERE l.name = 'controller';
  own := coalesce(held.ttl_ms * interval '1 millisecond', held.expires_at - held.renewed_at);
  IF held.renewed_at > at THEN
    UPDATE rtmanager.lease l SET renewed_at = at, expires_at = at + own WHERE l.name = 'controller' AND l.renewed_at = held.renewed_at;
    held.renewed_at := at;
    held.expires_at := at + own;
  END IF;
  held_by := held.holder;
  held_epoch := held.epoch;
  held_ms := extract(epoch FROM own) * 1000;
  renewed_ago_ms := extract(epoch FROM at - held.renewed_at) * 1000;

  -- FOR UPDATE is had only when no write of the old epoch is under way; after it none can pass the fence.
  IF held.holder IN ('', asker) OR least(held.expires_at, held.renewed_at + own) < at THEN
    PERFORM 1 FROM rtmanager.lease l WHERE l.name = 'controller' AND l.holder = held.holder AND l.epoch = held.epoch
      AND l.renewed_at = held.renewed_at FOR UPDATE SKIP LOCKED;
    IF FOUND THEN
      taken := greatest(nextval('rtmanager.lease_epoch'), held.epoch + 1);
      PERFORM setval('rtmanager.lease_epoch', taken);
      UPDATE rtmanager.lease l SET holder = asker, epoch = taken, renewed_at = clock_timestamp(),
        expires_at = clock_timestamp() + asked, ttl_ms = asked_ms
      WHERE l.name = 'controller';
    END IF;
  END IF;
END $$;
REVOKE ALL ON FUNCTION rtmanager.acquire_lease FROM PUBLIC;
