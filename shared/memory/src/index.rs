//! The index of an agent's notes: a small SQLite database kept as one file beside them. The notes are the truth; the
//! index is made from them and made again whenever it is missing, damaged or of another form.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, MAIN_DB, OptionalExtension, params};

use crate::origin::Trust;
use crate::pieces::{Piece, pieces};
use crate::place::{is_guests, place};
use crate::rank::text_score;
use crate::vector::Vector;

/// Grows with every change of the tables or of how notes are cut.
const FORM: i64 = 2;

const TABLES: &str = "
    CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE notes (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, etag TEXT NOT NULL, place TEXT NOT NULL);
    CREATE TABLE pieces (id INTEGER PRIMARY KEY, note INTEGER NOT NULL, start_line INTEGER NOT NULL, end_line INTEGER NOT NULL,
        heading TEXT NOT NULL, author TEXT NOT NULL, trust TEXT NOT NULL, text TEXT NOT NULL);
    CREATE INDEX pieces_of_note ON pieces (note);
    CREATE TABLE vectors (id INTEGER PRIMARY KEY, norm REAL NOT NULL, bytes BLOB NOT NULL);
    CREATE VIRTUAL TABLE word_index USING fts5 (words, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2');
";

/// The fact that says which model made the vectors.
const MODEL: &str = "model";

/// An open index.
pub(crate) struct Index {
    database: Connection,
    tokens: usize,
    overlap: usize,
}

/// A passage as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) path: String,
    pub(crate) start_line: usize,
    pub(crate) end_line: usize,
    pub(crate) heading: String,
    pub(crate) author: String,
    pub(crate) trust: Trust,
    pub(crate) text: String,
    pub(crate) vector: Option<Vector>,
}

impl Index {
    /// A new, empty index of pieces of this size.
    pub(crate) fn empty(tokens: usize, overlap: usize) -> rusqlite::Result<Self> {
        let database = Connection::open_in_memory()?;
        database.execute_batch(TABLES)?;
        database.pragma_update(None, "user_version", FORM)?;
        database.execute("INSERT INTO facts VALUES ('size', ?1)", [format!("{tokens}/{overlap}")])?;
        Ok(Self { database, tokens, overlap })
    }

    /// The index in `bytes`; an error if they are none, or one of another form or size of pieces.
    pub(crate) fn open(bytes: &[u8], tokens: usize, overlap: usize) -> rusqlite::Result<Self> {
        let mut database = Connection::open_in_memory()?;
        database.deserialize_read_exact(MAIN_DB, bytes, bytes.len(), false)?;
        // What is in the file is data: nothing in its schema may call functions.
        database.pragma_update(None, "trusted_schema", false)?;
        let form: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let sound: String = database.pragma_query_value(None, "quick_check", |row| row.get(0))?;
        if form != FORM || sound != "ok" {
            return Err(rusqlite::Error::InvalidQuery);
        }
        let index = Self { database, tokens, overlap };
        if index.fact("size")?.as_deref() != Some(format!("{tokens}/{overlap}").as_str()) {
            return Err(rusqlite::Error::InvalidQuery);
        }
        Ok(index)
    }

    /// The index as a file.
    pub(crate) fn bytes(&mut self) -> rusqlite::Result<Vec<u8>> {
        Ok(self.database.serialize(MAIN_DB)?.to_vec())
    }

    /// How many bytes it has.
    pub(crate) fn size(&self) -> rusqlite::Result<usize> {
        let count = |name: &str| self.database.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        Ok(whole(count("page_count")?).saturating_mul(whole(count("page_size")?)))
    }

    /// The notes it knows, with the tags of the versions it knows.
    pub(crate) fn known(&self) -> rusqlite::Result<BTreeMap<String, String>> {
        let mut statement = self.database.prepare_cached("SELECT path, etag FROM notes")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }

    /// How many passages it holds, and how many of them have a vector.
    pub(crate) fn counts(&self) -> rusqlite::Result<(usize, usize)> {
        let count = |table: &str| {
            let sql = format!("SELECT count(*) FROM {table}");
            self.database.query_row(&sql, [], |row| row.get::<_, i64>(0))
        };
        Ok((whole(count("pieces")?), whole(count("vectors")?)))
    }

    /// Replaces what it knows of one note. Passages that did not change keep their vectors.
    pub(crate) fn put(&mut self, path: &str, etag: &str, text: &str) -> rusqlite::Result<()> {
        let kept = self.vectors_of(path)?;
        self.forget(path)?;
        let change = self.database.transaction()?;
        change
            .execute("INSERT INTO notes (path, etag, place) VALUES (?1, ?2, ?3)", params![path, etag, place(path)])?;
        let note = change.last_insert_rowid();
        for piece in pieces(text, is_guests(path), self.tokens, self.overlap) {
            let Piece { start_line, end_line, heading, text, origin } = piece;
            change.prepare_cached("INSERT INTO pieces (note, start_line, end_line, heading, author, trust, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
                .execute(params![note, number(start_line), number(end_line), heading, origin.author, origin.trust.name(), text])?;
            let id = change.last_insert_rowid();
            let words = spaced(&format!("{heading}\n{text}"));
            change
                .prepare_cached("INSERT INTO word_index (rowid, words) VALUES (?1, ?2)")?
                .execute(params![id, words])?;
            if let Some(vector) = kept.get(&(heading, text)) {
                change
                    .prepare_cached("INSERT INTO vectors (id, norm, bytes) VALUES (?1, ?2, ?3)")?
                    .execute(params![id, vector.norm, vector.bytes])?;
            }
        }
        change.commit()
    }

    /// Forgets a note.
    pub(crate) fn forget(&mut self, path: &str) -> rusqlite::Result<()> {
        let change = self.database.transaction()?;
        let pieces = "SELECT p.id FROM pieces p JOIN notes n ON n.id = p.note WHERE n.path = ?1";
        change.execute(&format!("DELETE FROM word_index WHERE rowid IN ({pieces})"), [path])?;
        change.execute(&format!("DELETE FROM vectors WHERE id IN ({pieces})"), [path])?;
        change.execute("DELETE FROM pieces WHERE note IN (SELECT id FROM notes WHERE path = ?1)", [path])?;
        change.execute("DELETE FROM notes WHERE path = ?1", [path])?;
        change.commit()
    }

    /// Says which model makes the vectors from now on. Those of another are thrown away: nothing can be compared across
    /// models. Answers whether any were.
    pub(crate) fn of_model(&mut self, model: &str) -> rusqlite::Result<bool> {
        if self.fact(MODEL)?.as_deref() == Some(model) {
            return Ok(false);
        }
        let change = self.database.transaction()?;
        let thrown = change.execute("DELETE FROM vectors", [])?;
        change.execute("INSERT OR REPLACE INTO facts VALUES (?1, ?2)", [MODEL, model])?;
        change.commit()?;
        Ok(thrown > 0)
    }

    /// Dimensions of the vectors it holds, if it holds any.
    pub(crate) fn dimensions(&self) -> rusqlite::Result<Option<usize>> {
        let length =
            self.database.query_row("SELECT length(bytes) FROM vectors LIMIT 1", [], |row| row.get::<_, i64>(0));
        Ok(length.optional()?.map(whole))
    }

    /// Throws all vectors away.
    pub(crate) fn without_vectors(&mut self) -> rusqlite::Result<()> {
        self.database.execute("DELETE FROM vectors", []).map(drop)
    }

    /// Passages that have no vector yet: what is to be embedded, newest notes first.
    pub(crate) fn without_vector(&self, most: usize) -> rusqlite::Result<Vec<(i64, String)>> {
        let mut statement = self.database.prepare_cached(
            "SELECT id, heading, text FROM pieces WHERE id NOT IN (SELECT id FROM vectors) ORDER BY id DESC LIMIT ?1",
        )?;
        let rows = statement.query_map([number(most)], |row| {
            let (heading, text): (String, String) = (row.get(1)?, row.get(2)?);
            Ok((row.get(0)?, format!("{heading}\n{text}").trim().to_owned()))
        })?;
        rows.collect()
    }

    /// Keeps vectors of passages.
    pub(crate) fn put_vectors(&mut self, vectors: &[(i64, Vector)]) -> rusqlite::Result<()> {
        let change = self.database.transaction()?;
        // In the order of the table: otherwise its pages stay half empty, and every search reads all of them.
        let mut vectors: Vec<&(i64, Vector)> = vectors.iter().collect();
        vectors.sort_by_key(|(id, _)| *id);
        for (id, vector) in vectors {
            change
                .prepare_cached("INSERT OR REPLACE INTO vectors (id, norm, bytes) VALUES (?1, ?2, ?3)")?
                .execute(params![id, vector.norm, vector.bytes])?;
        }
        change.commit()
    }

    /// The passages that have words of the question, best first, in these places or in all.
    pub(crate) fn by_words(
        &self,
        question: &str,
        places: Option<&[&str]>,
        most: usize,
    ) -> rusqlite::Result<Vec<(i64, f64)>> {
        let Some(terms) = terms(question) else { return Ok(Vec::new()) };
        let mut statement = self.database.prepare_cached(
            "SELECT word_index.rowid, bm25(word_index) AS distance
             FROM word_index JOIN pieces p ON p.id = word_index.rowid JOIN notes n ON n.id = p.note
             WHERE word_index MATCH ?1 AND (?2 IS NULL OR n.place IN (SELECT value FROM json_each(?2)))
             ORDER BY distance, n.path DESC, p.start_line LIMIT ?3",
        )?;
        let rows = statement.query_map(params![terms, list(places), number(most)], |row| {
            Ok((row.get(0)?, text_score(row.get::<_, f64>(1)?)))
        })?;
        rows.collect()
    }

    /// How near every passage with a vector is to a question, in these places or in all.
    pub(crate) fn by_meaning(&self, question: &Vector, places: Option<&[&str]>) -> rusqlite::Result<Vec<(i64, f64)>> {
        let near = |row: &rusqlite::Row<'_>| {
            let bytes = row.get_ref(2)?.as_blob()?;
            Ok((row.get(0)?, question.cosine(bytes, row.get(1)?).max(0.0)))
        };
        if let Some(places) = places {
            let mut statement = self.database.prepare_cached(
                "SELECT v.id, v.norm, v.bytes FROM vectors v JOIN pieces p ON p.id = v.id JOIN notes n ON n.id = p.note
                 WHERE n.place IN (SELECT value FROM json_each(?1))",
            )?;
            let rows = statement.query_map([list(Some(places))], near)?;
            return rows.collect();
        }
        let mut statement = self.database.prepare_cached("SELECT id, norm, bytes FROM vectors")?;
        let rows = statement.query_map([], near)?;
        rows.collect()
    }

    /// One passage.
    pub(crate) fn piece(&self, id: i64) -> rusqlite::Result<Option<Stored>> {
        let mut statement = self.database.prepare_cached(
            "SELECT n.path, p.start_line, p.end_line, p.heading, p.author, p.trust, p.text, v.norm, v.bytes
             FROM pieces p JOIN notes n ON n.id = p.note LEFT JOIN vectors v ON v.id = p.id WHERE p.id = ?1",
        )?;
        let read = |row: &rusqlite::Row<'_>| {
            let vector = match (row.get::<_, Option<f64>>(7)?, row.get::<_, Option<Vec<u8>>>(8)?) {
                (Some(norm), Some(bytes)) => Some(Vector { bytes, norm }),
                _ => None,
            };
            Ok(Stored {
                path: row.get(0)?,
                start_line: whole(row.get(1)?),
                end_line: whole(row.get(2)?),
                heading: row.get(3)?,
                author: row.get(4)?,
                trust: Trust::of_name(&row.get::<_, String>(5)?),
                text: row.get(6)?,
                vector,
            })
        };
        statement.query_row([id], read).optional()
    }

    fn fact(&self, name: &str) -> rusqlite::Result<Option<String>> {
        self.database.query_row("SELECT value FROM facts WHERE name = ?1", [name], |row| row.get(0)).optional()
    }

    fn vectors_of(&self, path: &str) -> rusqlite::Result<HashMap<(String, String), Vector>> {
        let mut statement = self.database.prepare_cached(
            "SELECT p.heading, p.text, v.norm, v.bytes
             FROM notes n JOIN pieces p ON p.note = n.id JOIN vectors v ON v.id = p.id WHERE n.path = ?1",
        )?;
        let rows = statement.query_map([path], |row| {
            Ok(((row.get(0)?, row.get(1)?), Vector { norm: row.get(2)?, bytes: row.get(3)? }))
        })?;
        rows.collect()
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn whole(number: i64) -> usize {
    usize::try_from(number).unwrap_or_default()
}

fn list(places: Option<&[&str]>) -> Option<String> {
    places.map(|places| serde_json::json!(places).to_string())
}

/// The words of a question as a query: any of them, each in quotes, so that nothing in it is read as an operator.
fn terms(question: &str) -> Option<String> {
    const MOST: usize = 32;
    let mut words: Vec<String> = Vec::new();
    for run in question.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty()) {
        let word = format!("\"{}\"", spaced(run).trim().replace('"', ""));
        if !words.contains(&word) && words.len() < MOST {
            words.push(word);
        }
    }
    (!words.is_empty()).then(|| words.join(" OR "))
}

/// A text with every character of scripts without spaces standing alone, so that parts of its words can be found.
fn spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let alone = matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}');
        if alone {
            out.push(' ');
        }
        out.push(c);
        if alone {
            out.push(' ');
        }
    }
    out
}

#[cfg(test)]
mod tests;
