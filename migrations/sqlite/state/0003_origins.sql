-- Which source's listing a token came from, and goes with; NULL is a token that was added by hand.
ALTER TABLE token ADD COLUMN origin TEXT CHECK (length(origin) BETWEEN 1 AND 32);
