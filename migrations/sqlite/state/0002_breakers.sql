-- What each circuit breaker was saved as, for the next process. Times are microseconds since the Unix epoch; the rest of
-- an open period counts from saved_at.
CREATE TABLE breaker (
    name              TEXT    NOT NULL PRIMARY KEY,
    state             TEXT    NOT NULL CHECK (state IN ('closed', 'open', 'half_open', 'forced_open', 'disabled')),
    open_for_us       INTEGER NOT NULL CHECK (open_for_us >= 0),
    failed_recoveries INTEGER NOT NULL CHECK (failed_recoveries BETWEEN 0 AND 4294967295),
    saved_at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
