-- What happened last on each account, by kind.
CREATE TABLE activity (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    kind    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    reason  TEXT NOT NULL,
    PRIMARY KEY (channel, account, kind)
) WITHOUT ROWID;

-- Parts of replies a platform confirmed late.
CREATE TABLE confirmations (
    idempotency_key TEXT NOT NULL PRIMARY KEY,
    at              INTEGER NOT NULL
) WITHOUT ROWID;
