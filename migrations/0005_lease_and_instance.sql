-- How long the lease is had for at each renewal: what `expires_at` says beyond that was written by a clock that was wrong.
ALTER TABLE rtmanager.lease ADD COLUMN ttl_ms bigint;

-- Epochs are counted here too: a deleted row, or one put back from an older dump, must not give out a number again.
CREATE SEQUENCE rtmanager.lease_epoch;
SELECT setval('rtmanager.lease_epoch', epoch) FROM rtmanager.lease WHERE name = 'controller' AND epoch > 0;
