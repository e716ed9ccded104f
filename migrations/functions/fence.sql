-- Fails unless the caller acts under the newest lease. The lock lets renewals pass and makes a takeover wait for writes
-- of the old epoch that are under way.
CREATE OR REPLACE FUNCTION rtmanager.fence(epoch bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM rtmanager.lease l WHERE l.name = 'controller' AND l.epoch = fence.epoch FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'another controller acts by now (epoch % is over)', epoch USING ERRCODE = 'RTM01';
  END IF;
END $$;
REVOKE ALL ON FUNCTION rtmanager.fence FROM PUBLIC;
