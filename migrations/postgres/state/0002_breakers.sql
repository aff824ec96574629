-- What each circuit breaker was saved as, for the next process. The rest of an open period counts from saved_at. Names
-- are ordered by their bytes, whatever the language of the database.
CREATE TABLE breaker (
    name              text        COLLATE "C" NOT NULL PRIMARY KEY,
    state             text        NOT NULL CHECK (state IN ('closed', 'open', 'half_open', 'forced_open', 'disabled')),
    open_for_us       bigint      NOT NULL CHECK (open_for_us >= 0),
    failed_recoveries bigint      NOT NULL CHECK (failed_recoveries BETWEEN 0 AND 4294967295),
    saved_at          timestamptz NOT NULL
);
