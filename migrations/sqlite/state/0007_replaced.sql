-- A recovery that an operator's order took over from. A constraint cannot be changed, so the table is made anew.
CREATE TABLE recovery_of_six_outcomes (
    epoch        INTEGER NOT NULL CHECK (epoch >= 0),
    number       INTEGER NOT NULL CHECK (number >= 0),
    began_epoch  INTEGER NOT NULL,
    began_number INTEGER NOT NULL CHECK (began_number >= 0),
    made_at      INTEGER NOT NULL,
    subject      TEXT    NOT NULL CHECK (length(subject) BETWEEN 1 AND 64),
    kind         TEXT    NOT NULL CHECK (kind IN ('booted', 'closed', 'began', 'step', 'withheld', 'ended')),
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
INSERT INTO recovery_of_six_outcomes SELECT epoch, number, began_epoch, began_number, made_at, subject, kind, cause, class,
    initiator, evidence, step, charged, dependency, outcome, took_us FROM recovery;
DROP TABLE recovery;
ALTER TABLE recovery_of_six_outcomes RENAME TO recovery;
