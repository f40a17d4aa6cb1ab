-- What is spent, by tenant and day; the scope is written as JSON.
CREATE TABLE spending (
    tenant      TEXT NOT NULL,
    date        TEXT NOT NULL,
    scope       TEXT NOT NULL,
    spent       INTEGER NOT NULL,
    reserved    INTEGER NOT NULL,
    calls       INTEGER NOT NULL,
    input       INTEGER NOT NULL,
    output      INTEGER NOT NULL,
    cache_read  INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    PRIMARY KEY (tenant, date, scope)
) WITHOUT ROWID;

-- Reservations that are not settled.
CREATE TABLE reservations (
    tenant TEXT NOT NULL,
    date   TEXT NOT NULL,
    name   TEXT NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (tenant, date, name)
) WITHOUT ROWID;

-- Tenants whose owner has halted all spending.
CREATE TABLE halted (
    tenant TEXT PRIMARY KEY
) WITHOUT ROWID;

-- Credentials of providers that are left in peace for a while.
CREATE TABLE cooldowns (
    profile TEXT PRIMARY KEY,
    body    TEXT NOT NULL
) WITHOUT ROWID;

-- Which conversations there are, and what was wished for them.
CREATE TABLE listings (
    session TEXT PRIMARY KEY,
    agent   TEXT NOT NULL,
    parent  TEXT NOT NULL,
    began   INTEGER NOT NULL,
    body    TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX listings_by_agent ON listings (agent, began);
CREATE INDEX listings_by_parent ON listings (parent, began);

CREATE TABLE wishes (
    session TEXT PRIMARY KEY,
    body    TEXT NOT NULL
) WITHOUT ROWID;
