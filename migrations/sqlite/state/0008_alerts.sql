-- The state of each alert of which something is kept, the messages that wait, and what became of those that do not. Times in
-- columns are microseconds since the Unix epoch. What no statement looks into is JSON, with times as in 2026-12-01T08:30:00Z
-- and numbers that were measured as text, so that they come back to the bit.
CREATE TABLE alert (
    rule   TEXT NOT NULL,
    labels TEXT NOT NULL,
    state  TEXT NOT NULL CHECK (json_valid(state)),
    PRIMARY KEY (rule, labels)
) STRICT;

-- A message is known by its channel, the alert and the episode that lead it, and its step. What it covers is not in its text,
-- and may be very much.
CREATE TABLE alert_message (
    channel       TEXT    NOT NULL,
    rule          TEXT    NOT NULL,
    labels        TEXT    NOT NULL,
    epoch         INTEGER NOT NULL CHECK (epoch >= 0),
    number        INTEGER NOT NULL CHECK (number >= 0),
    step          INTEGER NOT NULL CHECK (step BETWEEN 0 AND 4294967295),
    attempts      INTEGER NOT NULL CHECK (attempts BETWEEN 0 AND 4294967295),
    failing_since INTEGER,
    message       TEXT    NOT NULL CHECK (json_valid(message)),
    covers        TEXT    NOT NULL CHECK (json_valid(covers)),
    PRIMARY KEY (channel, rule, labels, epoch, number, step)
) STRICT;

-- Messages that were refused, in the order in which they were committed; the newest are kept.
CREATE TABLE alert_dead_letter (
    place         INTEGER PRIMARY KEY,
    channel       TEXT    NOT NULL,
    rule          TEXT    NOT NULL,
    labels        TEXT    NOT NULL,
    epoch         INTEGER NOT NULL CHECK (epoch >= 0),
    number        INTEGER NOT NULL CHECK (number >= 0),
    step          INTEGER NOT NULL CHECK (step BETWEEN 0 AND 4294967295),
    attempts      INTEGER NOT NULL CHECK (attempts BETWEEN 0 AND 4294967295),
    failing_since INTEGER,
    message       TEXT    NOT NULL CHECK (json_valid(message)),
    covers        TEXT    NOT NULL CHECK (json_valid(covers)),
    why           TEXT    NOT NULL,
    refused_at    INTEGER NOT NULL,
    UNIQUE (channel, rule, labels, epoch, number, step)
) STRICT;

-- What became of attempts, in the order in which they were committed; the newest are kept.
CREATE TABLE alert_receipt (
    place          INTEGER PRIMARY KEY,
    channel        TEXT    NOT NULL,
    rule           TEXT    NOT NULL,
    labels         TEXT    NOT NULL,
    epoch          INTEGER NOT NULL CHECK (epoch >= 0),
    number         INTEGER NOT NULL CHECK (number >= 0),
    step           INTEGER NOT NULL CHECK (step BETWEEN 0 AND 4294967295),
    attempt        INTEGER NOT NULL CHECK (attempt BETWEEN 0 AND 4294967295),
    outcome        TEXT    NOT NULL CHECK (outcome IN ('delivered', 'retry', 'refused')),
    remote_id      TEXT    CHECK (remote_id IS NULL OR outcome = 'delivered'),
    retry_after_us INTEGER CHECK (retry_after_us IS NULL OR (outcome = 'retry' AND retry_after_us >= 0)),
    why            TEXT    CHECK ((why IS NULL) = (outcome = 'delivered')),
    latency_us     INTEGER NOT NULL CHECK (latency_us >= 0),
    known_at       INTEGER NOT NULL,
    UNIQUE (channel, rule, labels, epoch, number, step, attempt)
) STRICT;

-- Silences and maintenance windows that no one has ended.
CREATE TABLE alert_quiet (
    id    INTEGER PRIMARY KEY CHECK (id >= 0),
    quiet TEXT    NOT NULL CHECK (json_valid(quiet))
) STRICT;

-- The writer of alerts is fenced like the others. A constraint cannot be changed, so the table is made anew.
CREATE TABLE fence_of_five (
    writer      TEXT    NOT NULL PRIMARY KEY CHECK (writer IN ('tokens', 'listings', 'breakers', 'recoveries', 'alerts')),
    epoch       INTEGER NOT NULL,
    incarnation INTEGER NOT NULL CHECK (incarnation BETWEEN 0 AND 4294967295)
) STRICT, WITHOUT ROWID;
INSERT INTO fence_of_five SELECT writer, epoch, incarnation FROM fence;
DROP TABLE fence;
ALTER TABLE fence_of_five RENAME TO fence;
