-- Since when each breaker is in its state, for people; NULL if that is not known.
ALTER TABLE breaker ADD COLUMN since timestamptz;
