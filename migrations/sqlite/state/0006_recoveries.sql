-- The ledger: a row for each decision of self-healing. Times are microseconds since the Unix epoch. Which of the later columns
-- have a value depends on the kind. A row is never changed.
CREATE TABLE recovery (
    epoch        INTEGER NOT NULL CHECK (epoch >= 0),
    number       INTEGER NOT NULL CHECK (number >= 0),
    began_epoch  INTEGER NOT NULL,
    began_number INTEGER NOT NULL CHECK (began_number >= 0),
    made_at      INTEGER NOT NULL,
    subject      TEXT    NOT NULL CHECK (length(subject) BETWEEN 1 AND 64),
    kind         TEXT    NOT NULL CHECK (kind IN ('booted', 'closed', 'spent', 'began', 'step', 'withheld', 'ended')),
    cause        TEXT    CHECK (length(CAST(cause AS BLOB)) <= 1024),
    class        TEXT    CHECK (class IN ('transient', 'persistent', 'system', 'critical')),
    initiator    TEXT    CHECK (initiator IN ('service', 'operator')),
    evidence     TEXT    CHECK (length(CAST(evidence AS BLOB)) <= 16384),
    step         TEXT    CHECK (step IN ('start', 'graceful', 'emergency', 'rebuild_plane', 'end_process')),
    charged      INTEGER CHECK (charged IN (0, 1)),
    dependency   TEXT    CHECK (length(CAST(dependency AS BLOB)) <= 1024),
    outcome      TEXT    CHECK (outcome IN ('recovered', 'failed', 'escalated', 'withdrawn', 'replaced', 'interrupted')),
    took_us      INTEGER CHECK (took_us >= 0),
    PRIMARY KEY (epoch, number),
    CHECK ((began_epoch, began_number) <= (epoch, number))
) STRICT;

-- Rows that could not be read, kept for a person; nothing reads them.
CREATE TABLE recovery_set_aside (
    set_aside_at INTEGER NOT NULL,
    epoch        INTEGER,
    number       INTEGER,
    began_epoch  INTEGER,
    began_number INTEGER,
    made_at      INTEGER,
    subject      TEXT,
    kind         TEXT,
    cause        TEXT,
    class        TEXT,
    initiator    TEXT,
    evidence     TEXT,
    step         TEXT,
    charged      INTEGER,
    dependency   TEXT,
    outcome      TEXT,
    took_us      INTEGER
) STRICT;

-- The ledger's writer is fenced like the others. A constraint cannot be changed, so the table is made anew.
CREATE TABLE fence_of_four (
    writer      TEXT    NOT NULL PRIMARY KEY CHECK (writer IN ('tokens', 'listings', 'breakers', 'recoveries')),
    epoch       INTEGER NOT NULL,
    incarnation INTEGER NOT NULL CHECK (incarnation BETWEEN 0 AND 4294967295)
) STRICT, WITHOUT ROWID;
INSERT INTO fence_of_four SELECT writer, epoch, incarnation FROM fence;
DROP TABLE fence;
ALTER TABLE fence_of_four RENAME TO fence;
