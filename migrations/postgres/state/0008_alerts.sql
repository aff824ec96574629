-- The state of each alert of which something is kept, the messages that wait, and what became of those that do not. Names are
-- ordered by their bytes, whatever the language of the database. What no statement looks into is JSON, with times as in
-- 2026-12-01T08:30:00Z and numbers that were measured as text, so that they come back to the bit.
CREATE TABLE alert (
    rule   text COLLATE "C" NOT NULL,
    labels text COLLATE "C" NOT NULL,
    state  json NOT NULL,
    PRIMARY KEY (rule, labels)
);

-- A message is known by its channel, the alert and the episode that lead it, and its step. What it covers is not in its text,
-- and may be very much.
CREATE TABLE alert_message (
    channel       text        COLLATE "C" NOT NULL,
    rule          text        COLLATE "C" NOT NULL,
    labels        text        COLLATE "C" NOT NULL,
    epoch         bigint      NOT NULL CHECK (epoch >= 0),
    number        bigint      NOT NULL CHECK (number >= 0),
    step          bigint      NOT NULL CHECK (step BETWEEN 0 AND 4294967295),
    attempts      bigint      NOT NULL CHECK (attempts BETWEEN 0 AND 4294967295),
    failing_since timestamptz,
    message       json        NOT NULL,
    covers        json        NOT NULL,
    PRIMARY KEY (channel, rule, labels, epoch, number, step)
);

-- Messages that were refused; place is the order in which they were committed. The newest are kept.
CREATE TABLE alert_dead_letter (
    place         bigint      NOT NULL,
    channel       text        COLLATE "C" NOT NULL,
    rule          text        COLLATE "C" NOT NULL,
    labels        text        COLLATE "C" NOT NULL,
    epoch         bigint      NOT NULL CHECK (epoch >= 0),
    number        bigint      NOT NULL CHECK (number >= 0),
    step          bigint      NOT NULL CHECK (step BETWEEN 0 AND 4294967295),
    attempts      bigint      NOT NULL CHECK (attempts BETWEEN 0 AND 4294967295),
    failing_since timestamptz,
    message       json        NOT NULL,
    covers        json        NOT NULL,
    why           text        NOT NULL,
    refused_at    timestamptz NOT NULL,
    PRIMARY KEY (channel, rule, labels, epoch, number, step)
);
CREATE INDEX alert_dead_letter_in_order ON alert_dead_letter (place);

-- What became of attempts; place is the order in which they were committed. The newest are kept.
CREATE TABLE alert_receipt (
    place          bigint      NOT NULL,
    channel        text        COLLATE "C" NOT NULL,
    rule           text        COLLATE "C" NOT NULL,
    labels         text        COLLATE "C" NOT NULL,
    epoch          bigint      NOT NULL CHECK (epoch >= 0),
    number         bigint      NOT NULL CHECK (number >= 0),
    step           bigint      NOT NULL CHECK (step BETWEEN 0 AND 4294967295),
    attempt        bigint      NOT NULL CHECK (attempt BETWEEN 0 AND 4294967295),
    outcome        text        NOT NULL CHECK (outcome IN ('delivered', 'retry', 'refused')),
    remote_id      text        CHECK (remote_id IS NULL OR outcome = 'delivered'),
    retry_after_us bigint      CHECK (retry_after_us IS NULL OR (outcome = 'retry' AND retry_after_us >= 0)),
    why            text        CHECK ((why IS NULL) = (outcome = 'delivered')),
    latency_us     bigint      NOT NULL CHECK (latency_us >= 0),
    known_at       timestamptz NOT NULL,
    PRIMARY KEY (channel, rule, labels, epoch, number, step, attempt)
);
CREATE INDEX alert_receipt_in_order ON alert_receipt (place);

-- Silences and maintenance windows that no one has ended.
CREATE TABLE alert_quiet (
    id    bigint NOT NULL PRIMARY KEY CHECK (id >= 0),
    quiet json   NOT NULL
);

-- The writer of alerts is fenced like the others.
ALTER TABLE fence DROP CONSTRAINT fence_writer_check,
    ADD CONSTRAINT fence_writer_check CHECK (writer IN ('tokens', 'listings', 'breakers', 'recoveries', 'alerts'));
