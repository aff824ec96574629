-- Tokens with their newest score. Times are microseconds since the Unix epoch. A mint is its 32 bytes, so that the
-- order of the key is the order of mints. The parts of a score are all there or all absent. ANY keeps a number to the
-- bit: a REAL column stores whole numbers as integers, and -0.0 loses its sign.
CREATE TABLE token (
    mint                  BLOB    NOT NULL PRIMARY KEY CHECK (length(mint) = 32),
    symbol                TEXT,
    status                TEXT    NOT NULL CHECK (status IN ('monitored', 'active', 'archived')),
    first_seen            INTEGER NOT NULL,
    raw_tx_accel          ANY     CHECK (typeof(raw_tx_accel) IN ('real', 'null')),
    raw_vol_momentum      ANY     CHECK (typeof(raw_vol_momentum) IN ('real', 'null')),
    raw_freshness         ANY     CHECK (typeof(raw_freshness) IN ('real', 'null')),
    raw_orderflow         ANY     CHECK (typeof(raw_orderflow) IN ('real', 'null')),
    raw_value             ANY     CHECK (typeof(raw_value) IN ('real', 'null')),
    smoothed_tx_accel     ANY     CHECK (typeof(smoothed_tx_accel) IN ('real', 'null')),
    smoothed_vol_momentum ANY     CHECK (typeof(smoothed_vol_momentum) IN ('real', 'null')),
    smoothed_freshness    ANY     CHECK (typeof(smoothed_freshness) IN ('real', 'null')),
    smoothed_orderflow    ANY     CHECK (typeof(smoothed_orderflow) IN ('real', 'null')),
    smoothed_value        ANY     CHECK (typeof(smoothed_value) IN ('real', 'null')),
    basis                 TEXT    CHECK (basis IN ('primary', 'all')),
    listed_at             INTEGER,
    pools                 INTEGER CHECK (pools >= 0),
    scored_at             INTEGER,
    below_since           INTEGER,
    misses                INTEGER CHECK (misses >= 0),
    ask_again_at          INTEGER,
    CHECK ((basis IS NULL) + (raw_tx_accel IS NULL) + (raw_vol_momentum IS NULL) + (raw_freshness IS NULL)
        + (raw_orderflow IS NULL) + (raw_value IS NULL) + (smoothed_tx_accel IS NULL)
        + (smoothed_vol_momentum IS NULL) + (smoothed_freshness IS NULL) + (smoothed_orderflow IS NULL)
        + (smoothed_value IS NULL) + (pools IS NULL) + (scored_at IS NULL) IN (0, 13)),
    CHECK ((listed_at IS NOT NULL) = (basis IS 'all')),
    CHECK ((misses IS NULL) = (ask_again_at IS NULL))
) STRICT, WITHOUT ROWID;

-- The newest claimed epoch: writes under an older one are refused.
CREATE TABLE writer (
    one   INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL
) STRICT;
INSERT INTO writer (one, epoch) VALUES (1, 0);

-- Counts the edits of the set of tokens.
CREATE TABLE revision (
    one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    number INTEGER NOT NULL
) STRICT;
INSERT INTO revision (one, number) VALUES (1, 0);
