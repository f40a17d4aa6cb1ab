-- In which conversation what is said at a place is answered.
CREATE TABLE homes (
    place   TEXT PRIMARY KEY,
    session TEXT NOT NULL,
    body    TEXT NOT NULL
) WITHOUT ROWID;
