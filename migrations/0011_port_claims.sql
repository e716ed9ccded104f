-- Ports of the engines' hosts, each given to one game at most. A port that was freed keeps its line, so that it can cool down; one that
-- the engine found taken by somebody else has a line of nobody's.
CREATE TABLE rtmanager.port_claims (
  engine_id text NOT NULL,
  address text NOT NULL,
  protocol text NOT NULL CHECK (protocol IN ('tcp', 'udp')),
  port integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
  -- null: somebody else has it.
  game_id text,
  container_port integer,
  claimed_at timestamptz NOT NULL DEFAULT now(),
  freed_at timestamptz,
  quarantined_until timestamptz,
  -- Who has it, as far as the engine tells.
  holder text,
  PRIMARY KEY (engine_id, address, protocol, port)
);
CREATE INDEX port_claims_port ON rtmanager.port_claims (engine_id, protocol, port);
CREATE INDEX port_claims_game ON rtmanager.port_claims (game_id);
COMMENT ON TABLE rtmanager.port_claims IS 'Ports of the hosts: whose they are (freed_at null), were, or that somebody else has them. Written by the controller only.';

ALTER TABLE rtmanager.runtime_records ADD COLUMN ports jsonb NOT NULL DEFAULT '[]';
