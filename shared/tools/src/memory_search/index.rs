//! The index of an agent's notes: a small SQLite database kept as one file beside them. The notes are the truth; the
//! index is made from them and made again whenever it is missing, damaged or of an older form.

use std::collections::BTreeMap;

use rusqlite::{Connection, MAIN_DB, params};

use super::chunks::{Chunk, OVERLAP, TOKENS, chunks};

/// Grows with every change of the tables or of how notes are cut.
const FORM: i64 = 1;

const TABLES: &str = "
    CREATE TABLE notes (path TEXT PRIMARY KEY, etag TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE chunks (id INTEGER PRIMARY KEY, path TEXT NOT NULL, start_line INTEGER NOT NULL, end_line INTEGER NOT NULL, text TEXT NOT NULL);
    CREATE INDEX chunks_of_note ON chunks (path);
    CREATE VIRTUAL TABLE word_index USING fts5 (words, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2');
";

/// An open index.
pub(super) struct Index {
    database: Connection,
}

/// A piece that fits a question.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hit {
    pub(super) path: String,
    pub(super) start_line: usize,
    pub(super) end_line: usize,
    pub(super) text: String,
    /// Between 0 and 1; only comparable within one answer.
    pub(super) score: f64,
}

impl Index {
    /// A new, empty index.
    pub(super) fn empty() -> rusqlite::Result<Self> {
        let database = Connection::open_in_memory()?;
        database.execute_batch(TABLES)?;
        database.pragma_update(None, "user_version", FORM)?;
        Ok(Self { database })
    }

    /// The index in `bytes`; an error if they are none, or one of another form.
    pub(super) fn open(bytes: &[u8]) -> rusqlite::Result<Self> {
        let mut database = Connection::open_in_memory()?;
        database.deserialize_read_exact(MAIN_DB, bytes, bytes.len(), false)?;
        // What is in the file is data: nothing in its schema may call functions.
        database.pragma_update(None, "trusted_schema", false)?;
        let form: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let sound: String = database.pragma_query_value(None, "quick_check", |row| row.get(0))?;
        if form != FORM || sound != "ok" {
            return Err(rusqlite::Error::InvalidQuery);
        }
        Ok(Self { database })
    }

    /// The index as a file.
    pub(super) fn bytes(&mut self) -> rusqlite::Result<Vec<u8>> {
        Ok(self.database.serialize(MAIN_DB)?.to_vec())
    }

    /// The notes it knows, with the tags of the versions it knows.
    pub(super) fn known(&self) -> rusqlite::Result<BTreeMap<String, String>> {
        let mut statement = self.database.prepare("SELECT path, etag FROM notes")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }

    /// Replaces what it knows of one note.
    pub(super) fn put(&mut self, path: &str, etag: &str, text: &str) -> rusqlite::Result<()> {
        self.forget(path)?;
        let change = self.database.transaction()?;
        change.execute("INSERT INTO notes (path, etag) VALUES (?1, ?2)", params![path, etag])?;
        for Chunk { start_line, end_line, text } in chunks(text, TOKENS, OVERLAP) {
            if text.trim().is_empty() {
                continue;
            }
            let line = |line: usize| i64::try_from(line).unwrap_or(i64::MAX);
            change.execute(
                "INSERT INTO chunks (path, start_line, end_line, text) VALUES (?1, ?2, ?3, ?4)",
                params![path, line(start_line), line(end_line), text],
            )?;
            let id = change.last_insert_rowid();
            change.execute("INSERT INTO word_index (rowid, words) VALUES (?1, ?2)", params![id, spaced(&text)])?;
        }
        change.commit()
    }

    /// Forgets a note.
    pub(super) fn forget(&mut self, path: &str) -> rusqlite::Result<()> {
        let change = self.database.transaction()?;
        change.execute("DELETE FROM word_index WHERE rowid IN (SELECT id FROM chunks WHERE path = ?1)", [path])?;
        change.execute("DELETE FROM chunks WHERE path = ?1", [path])?;
        change.execute("DELETE FROM notes WHERE path = ?1", [path])?;
        change.commit()
    }

    /// The pieces that fit best, best first.
    pub(super) fn search(&self, question: &str, most: usize) -> rusqlite::Result<Vec<Hit>> {
        let Some(terms) = terms(question) else { return Ok(Vec::new()) };
        let mut statement = self.database.prepare(
            "SELECT c.path, c.start_line, c.end_line, c.text, bm25(word_index) AS distance
             FROM word_index JOIN chunks c ON c.id = word_index.rowid
             WHERE word_index MATCH ?1 ORDER BY distance, c.path DESC, c.start_line LIMIT ?2",
        )?;
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![terms, limit], |row| {
            let line = |at: usize| row.get::<_, i64>(at).map(|line| usize::try_from(line).unwrap_or_default());
            // BM25 of SQLite is the more negative the better.
            let strength = -row.get::<_, f64>(4)?;
            let score = if strength > 0.0 { strength / (1.0 + strength) } else { 0.0 };
            Ok(Hit { path: row.get(0)?, start_line: line(1)?, end_line: line(2)?, text: row.get(3)?, score })
        })?;
        rows.collect()
    }
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn index(notes: &[(&str, &str)]) -> Index {
        let mut index = Index::empty().unwrap();
        for (path, text) in notes {
            index.put(path, "1", text).unwrap();
        }
        index
    }

    fn paths(index: &Index, question: &str) -> Vec<String> {
        index.search(question, 6).unwrap().into_iter().map(|hit| hit.path).collect()
    }

    #[test]
    fn words_are_found_whatever_their_case_and_accents() {
        let index = index(&[("a.md", "Café in Köln with Ada"), ("b.md", "Bob likes tea")]);
        assert_eq!(paths(&index, "cafe"), ["a.md"]);
        assert_eq!(paths(&index, "what does BOB like?"), ["b.md"]);
        assert_eq!(paths(&index, "koln tea").len(), 2);
        assert_eq!(paths(&index, "coffee"), Vec::<String>::new());
        assert_eq!(paths(&index, "?!"), Vec::<String>::new());
    }

    #[test]
    fn the_better_piece_comes_first() {
        let index = index(&[
            ("weak.md", &format!("tea {}", "word ".repeat(200))),
            ("strong.md", "tea tea tea"),
            ("other.md", "milk"),
        ]);
        let hits = index.search("tea", 6).unwrap();
        assert_eq!(hits.iter().map(|hit| hit.path.as_str()).collect::<Vec<_>>(), ["strong.md", "weak.md"]);
        assert!(hits.windows(2).all(|pair| pair[0].score >= pair[1].score));
        assert!(hits.iter().all(|hit| (0.0..=1.0).contains(&hit.score)));
    }

    #[test]
    fn scripts_without_spaces_are_searched_by_character() {
        let index = index(&[("ja.md", "明日は東京へ行く"), ("th.md", "กรุงเทพ")]);
        assert_eq!(paths(&index, "東京"), ["ja.md"]);
        assert_eq!(paths(&index, "京東"), Vec::<String>::new());
        assert_eq!(paths(&index, "เทพ"), ["th.md"]);
    }

    #[test]
    fn a_note_is_replaced_and_forgotten_as_a_whole() {
        let mut index = index(&[("a.md", "tea"), ("b.md", "tea")]);
        index.put("a.md", "2", "milk").unwrap();
        assert_eq!(paths(&index, "tea"), ["b.md"]);
        assert_eq!(index.known().unwrap().get("a.md").map(String::as_str), Some("2"));
        index.forget("b.md").unwrap();
        assert_eq!(paths(&index, "tea"), Vec::<String>::new());
        assert_eq!(index.known().unwrap().len(), 1);
    }

    #[test]
    fn lines_are_those_of_the_note() {
        let text = format!("{}\nneedle\n{}", "filler line\n".repeat(300), "more filler\n".repeat(300));
        let line = 302;
        let hit = index(&[("a.md", &text)]).search("needle", 6).unwrap().remove(0);
        assert!((hit.start_line..=hit.end_line).contains(&line), "{}-{}", hit.start_line, hit.end_line);
        assert!(hit.end_line - hit.start_line < 200);
    }

    #[test]
    fn it_survives_as_bytes_and_can_grow_afterwards() {
        let bytes = index(&[("a.md", "tea")]).bytes().unwrap();
        let mut again = Index::open(&bytes).unwrap();
        for n in 0..200 {
            again.put(&format!("{n}.md"), "1", &format!("tea number{n} {}", "x ".repeat(500))).unwrap();
        }
        assert_eq!(paths(&again, "number77"), ["77.md"]);
    }

    #[test]
    fn anything_else_is_no_index() {
        let good = index(&[("a.md", "tea")]).bytes().unwrap();
        let half = &good[..good.len() / 2];
        let other = {
            let mut index = Index::empty().unwrap();
            index.database.pragma_update(None, "user_version", FORM + 1).unwrap();
            index.bytes().unwrap()
        };
        for bytes in [&b""[..], b"no database", half, &other, &[0; 4096]] {
            assert!(Index::open(bytes).and_then(|index| index.known()).is_err(), "{} bytes", bytes.len());
        }
    }

    proptest! {
        #[test]
        fn no_question_is_an_error(question in "\\PC{0,30}", operators in "[\"*()^:{}+\\-a-zANDORNT ]{0,20}") {
            let index = index(&[("a.md", "tea AND milk")]);
            index.search(&question, 6).unwrap();
            index.search(&operators, 6).unwrap();
        }

        #[test]
        fn damaged_bytes_never_panic(at in 0_usize..20_000, byte in any::<u8>()) {
            let mut bytes = index(&[("a.md", "tea milk"), ("b.md", "tea")]).bytes().unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(mut index) = Index::open(&bytes) {
                let _ = index.search("tea", 6);
                let _ = index.known();
                let _ = index.put("c.md", "1", "more tea");
            }
        }
    }
}
