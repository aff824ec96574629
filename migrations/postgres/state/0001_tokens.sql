-- Tokens with their newest score. A mint is its 32 bytes, so that the order of the key is the order of mints. The
-- parts of a score are all there or all absent.
CREATE TABLE token (
    mint                  bytea       NOT NULL PRIMARY KEY CHECK (octet_length(mint) = 32),
    symbol                text,
    status                text        NOT NULL CHECK (status IN ('monitored', 'active', 'archived')),
    first_seen            timestamptz NOT NULL,
    raw_tx_accel          float8      CHECK (raw_tx_accel <> 'NaN'),
    raw_vol_momentum      float8      CHECK (raw_vol_momentum <> 'NaN'),
    raw_freshness         float8      CHECK (raw_freshness <> 'NaN'),
    raw_orderflow         float8      CHECK (raw_orderflow <> 'NaN'),
    raw_value             float8      CHECK (raw_value <> 'NaN'),
    smoothed_tx_accel     float8      CHECK (smoothed_tx_accel <> 'NaN'),
    smoothed_vol_momentum float8      CHECK (smoothed_vol_momentum <> 'NaN'),
    smoothed_freshness    float8      CHECK (smoothed_freshness <> 'NaN'),
    smoothed_orderflow    float8      CHECK (smoothed_orderflow <> 'NaN'),
    smoothed_value        float8      CHECK (smoothed_value <> 'NaN'),
    basis                 text        CHECK (basis IN ('primary', 'all')),
    listed_at             timestamptz,
    pools                 bigint      CHECK (pools >= 0),
    scored_at             timestamptz,
    below_since           timestamptz,
    misses                bigint      CHECK (misses >= 0),
    ask_again_at          timestamptz,
    CONSTRAINT score_whole CHECK (num_nulls(
        basis, raw_tx_accel, raw_vol_momentum, raw_freshness, raw_orderflow, raw_value, smoothed_tx_accel,
        smoothed_vol_momentum, smoothed_freshness, smoothed_orderflow, smoothed_value, pools, scored_at) IN (0, 13)),
    CONSTRAINT listed_when_all CHECK ((listed_at IS NOT NULL) = (basis IS NOT DISTINCT FROM 'all')),
    CONSTRAINT unlisted_whole CHECK ((misses IS NULL) = (ask_again_at IS NULL))
);

-- The newest claimed epoch: writes under an older one are refused.
CREATE TABLE writer (
    one   boolean NOT NULL PRIMARY KEY CHECK (one),
    epoch bigint  NOT NULL
);
INSERT INTO writer (one, epoch) VALUES (true, 0);

-- Counts the edits of the set of tokens.
CREATE TABLE revision (
    one    boolean NOT NULL PRIMARY KEY CHECK (one),
    number bigint  NOT NULL
);
INSERT INTO revision (one, number) VALUES (true, 0);
