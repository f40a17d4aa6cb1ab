-- Messages left for a running turn to see, beside the ones in the queue.
CREATE TABLE left_messages (
    session TEXT NOT NULL,
    at      INTEGER NOT NULL,
    event   TEXT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (session, at, event)
) WITHOUT ROWID;
