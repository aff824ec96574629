-- How fast the far side of a breaker was called: the share of the rate that might be used, and the rest of a pause that it
-- had asked for, which counts from saved_at. NULL where nobody said.
ALTER TABLE breaker ADD COLUMN rate_share REAL CHECK (rate_share > 0 AND rate_share <= 1);
ALTER TABLE breaker ADD COLUMN paused_for_us INTEGER CHECK (paused_for_us >= 0);
