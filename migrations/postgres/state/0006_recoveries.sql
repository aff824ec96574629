-- The ledger: a row for each decision of self-healing. Which of the later columns have a value depends on the kind. A row is
-- never changed.
CREATE TABLE recovery (
    epoch        bigint      NOT NULL CHECK (epoch >= 0),
    number       bigint      NOT NULL CHECK (number >= 0),
    began_epoch  bigint      NOT NULL,
    began_number bigint      NOT NULL CHECK (began_number >= 0),
    made_at      timestamptz NOT NULL,
    subject      text        NOT NULL CHECK (octet_length(subject) BETWEEN 1 AND 64),
    kind         text        NOT NULL CHECK (kind IN ('booted', 'closed', 'spent', 'began', 'step', 'withheld', 'ended')),
    cause        text        CHECK (octet_length(cause) <= 1024),
    class        text        CHECK (class IN ('transient', 'persistent', 'system', 'critical')),
    initiator    text        CHECK (initiator IN ('service', 'operator')),
    evidence     text        CHECK (octet_length(evidence) <= 16384),
    step         text        CHECK (step IN ('start', 'graceful', 'emergency', 'rebuild_plane', 'end_process')),
    charged      boolean,
    dependency   text        CHECK (octet_length(dependency) <= 1024),
    outcome      text        CHECK (outcome IN ('recovered', 'failed', 'escalated', 'withdrawn', 'replaced', 'interrupted')),
    took_us      bigint      CHECK (took_us >= 0),
    PRIMARY KEY (epoch, number),
    CONSTRAINT began_before CHECK ((began_epoch, began_number) <= (epoch, number))
);

-- Rows that could not be read, kept for a person; nothing reads them.
CREATE TABLE recovery_set_aside (
    set_aside_at timestamptz NOT NULL,
    epoch        bigint,
    number       bigint,
    began_epoch  bigint,
    began_number bigint,
    made_at      timestamptz,
    subject      text,
    kind         text,
    cause        text,
    class        text,
    initiator    text,
    evidence     text,
    step         text,
    charged      boolean,
    dependency   text,
    outcome      text,
    took_us      bigint
);

-- The ledger's writer is fenced like the others.
ALTER TABLE fence DROP CONSTRAINT fence_writer_check,
    ADD CONSTRAINT fence_writer_check CHECK (writer IN ('tokens', 'listings', 'breakers', 'recoveries'));
