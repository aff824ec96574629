-- The history of metrics. Times are microseconds since the Unix epoch. Keys are ASCII and compare byte by byte.
CREATE TABLE series (
    series_id INTEGER NOT NULL PRIMARY KEY,
    key       TEXT    NOT NULL UNIQUE CHECK (length(key) BETWEEN 1 AND 512)
) STRICT;

-- ANY keeps a value to the bit: a REAL column stores whole numbers as integers, and -0.0 loses its sign.
CREATE TABLE sample (
    series_id INTEGER NOT NULL,
    ts        INTEGER NOT NULL,
    value     ANY     NOT NULL CHECK (typeof(value) = 'real'),
    PRIMARY KEY (series_id, ts)
) STRICT, WITHOUT ROWID;
