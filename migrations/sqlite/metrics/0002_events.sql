-- What happened. Times are microseconds since the Unix epoch; ids are 16 bytes, whose order is the numbers' order.
-- The key begins with the time: it is the order of the pages. No instance is named, because one process writes; a
-- column that may be NULL is added without a rewrite once there are several.
CREATE TABLE event (
    event_id BLOB    NOT NULL CHECK (length(event_id) = 16),
    ts       INTEGER NOT NULL,
    kind     TEXT    NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),
    subject  TEXT    NOT NULL CHECK (length(subject) BETWEEN 1 AND 128),
    severity TEXT    NOT NULL,
    payload  TEXT    NOT NULL CHECK (length(CAST(payload AS BLOB)) <= 16384 AND json_valid(payload)),
    PRIMARY KEY (ts, event_id)
) STRICT;

CREATE INDEX event_of_subject ON event (subject, ts, event_id);
