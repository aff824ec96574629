-- The newest fencing token of each writer. Of the epoch in the table writer, an older incarnation of the same writer is
-- refused; a row of any other epoch is from before the claim. A row changes only when its writer's token rises.
CREATE TABLE fence (
    writer      TEXT    NOT NULL PRIMARY KEY CHECK (writer IN ('tokens', 'listings', 'breakers')),
    epoch       INTEGER NOT NULL,
    incarnation INTEGER NOT NULL CHECK (incarnation BETWEEN 0 AND 4294967295)
) STRICT, WITHOUT ROWID;
