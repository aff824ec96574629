-- The history of metrics. Keys are ASCII and compare byte by byte, whatever the collation of the database.
CREATE TABLE series (
    series_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key       text    COLLATE "C" NOT NULL UNIQUE CHECK (octet_length(key) BETWEEN 1 AND 512)
);

-- No foreign key: this is the hot table. The key holds the time, so that it can be partitioned by it.
CREATE TABLE sample (
    series_id integer     NOT NULL,
    ts        timestamptz NOT NULL,
    value     float8      NOT NULL CHECK (value <> 'NaN'),
    PRIMARY KEY (series_id, ts)
);
