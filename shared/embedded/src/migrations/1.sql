-- Sessions. The body is the head as JSON; the other columns repeat what a save is fenced by.
CREATE TABLE sessions (
    session     TEXT PRIMARY KEY,
    epoch       INTEGER NOT NULL,
    owner       TEXT NOT NULL,
    lease_until INTEGER NOT NULL,
    body        TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE accepted (
    session    TEXT NOT NULL,
    event      TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    body       TEXT NOT NULL,
    PRIMARY KEY (session, event)
) WITHOUT ROWID;
CREATE INDEX accepted_by_expiry ON accepted (expires_at);

CREATE TABLE entries (
    session TEXT NOT NULL,
    place   TEXT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (session, place)
) WITHOUT ROWID;

CREATE TABLE flagged (
    session TEXT NOT NULL,
    turn    INTEGER NOT NULL,
    part    INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (session, turn, part)
) WITHOUT ROWID;
CREATE INDEX flagged_by_time ON flagged (at);

CREATE TABLE controls (
    session     TEXT PRIMARY KEY,
    stop_before INTEGER NOT NULL
) WITHOUT ROWID;

-- Access.
CREATE TABLE approvals (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    sender  TEXT NOT NULL,
    PRIMARY KEY (channel, account, sender)
) WITHOUT ROWID;

CREATE TABLE pairings (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    sender  TEXT NOT NULL,
    code    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (channel, account, sender)
) WITHOUT ROWID;

-- The queue. Ids grow, so they are the order of each line. A message that is done keeps its row without its body
-- until a repetition of its event would be taken as new.
CREATE TABLE messages (
    id        INTEGER PRIMARY KEY,
    lane      TEXT NOT NULL,
    line      TEXT NOT NULL,
    event     TEXT NOT NULL,
    pushed_at INTEGER NOT NULL,
    body      TEXT
);

CREATE TABLE buried (
    id        INTEGER PRIMARY KEY,
    lane      TEXT NOT NULL,
    line      TEXT NOT NULL,
    buried_at INTEGER NOT NULL,
    receives  INTEGER NOT NULL,
    reason    TEXT NOT NULL,
    body      TEXT NOT NULL
);

-- Schedules, and the firings that are not yet in the queue.
CREATE TABLE schedules (
    name    TEXT PRIMARY KEY,
    since   INTEGER NOT NULL,
    next_at INTEGER,
    body    TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE firings (
    name         TEXT NOT NULL,
    scheduled_at INTEGER NOT NULL,
    PRIMARY KEY (name, scheduled_at)
) WITHOUT ROWID;
