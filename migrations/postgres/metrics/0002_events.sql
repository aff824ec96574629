-- What happened. The key begins with the time: it is the order of the pages, and the table can be partitioned by it once
-- there are enough events to drop. No instance is named, because one process writes; a column that may be NULL is added
-- without a rewrite once there are several. The payload is json and no jsonb: it comes back to the byte.
CREATE TABLE event (
    event_id uuid        NOT NULL,
    ts       timestamptz NOT NULL,
    kind     text        COLLATE "C" NOT NULL CHECK (octet_length(kind) BETWEEN 1 AND 64),
    subject  text        COLLATE "C" NOT NULL CHECK (octet_length(subject) BETWEEN 1 AND 128),
    severity text        NOT NULL,
    payload  json        NOT NULL CHECK (octet_length(payload::text) <= 16384),
    PRIMARY KEY (ts, event_id)
);

CREATE INDEX event_of_subject ON event (subject, ts, event_id);
