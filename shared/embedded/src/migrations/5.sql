-- Calls that wait for a person's consent, and what is allowed for ever.
CREATE TABLE requests (
    id      TEXT PRIMARY KEY,
    waiting INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    ends    INTEGER NOT NULL,
    body    TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX requests_waiting ON requests (waiting, at);

CREATE TABLE rules (
    id   TEXT PRIMARY KEY,
    body TEXT NOT NULL
) WITHOUT ROWID;

-- Who agreed to what. Nothing here is ever changed or removed.
CREATE TABLE audit (
    tenant TEXT NOT NULL,
    number INTEGER NOT NULL,
    body   TEXT NOT NULL,
    PRIMARY KEY (tenant, number)
) WITHOUT ROWID;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is not changed'); END;
CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is not changed'); END;
