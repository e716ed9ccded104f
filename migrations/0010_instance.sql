-- Which installation this database belongs to. Beside the id, which database it was when that was said: a copy of it has the
-- id too, and must not act on the games of the original. NULL in those columns: whatever database it is now is the right one.
CREATE TABLE rtmanager.instance (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  id text NOT NULL CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$' AND id <> 'new'),
  system_identifier text,
  database_oid text,
  timeline integer,
  -- Why nothing is acted on until a person has cleared this.
  halted text
);
