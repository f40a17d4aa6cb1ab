//! `$include`: a configuration in several files of one folder.
//!
//! As in OpenClaw: a file replaces the object that names it; of several files the later wins, key by key; keys beside
//! `$include` win over what is included. Paths are relative to the including file and never leave the folder.

use serde_json::{Map, Value};

use crate::document::{Part, Place, locate, read};
use crate::path::{Path, Step};

/// Deepest chain of files.
const MAX_CHAIN: usize = 10;

/// Most files altogether: files that include each other twice would grow without end.
const MAX_FILES: usize = 64;

/// Where files come from: the text of a file by its path relative to the folder of the main file.
pub(crate) type Files<'a> = &'a (dyn Fn(&str) -> Option<String> + Send + Sync);

/// A problem in one of the files.
#[derive(Debug, PartialEq)]
pub(crate) struct Flaw {
    pub(crate) file: usize,
    pub(crate) place: Place,
    pub(crate) path: Path,
    pub(crate) message: String,
    pub(crate) fix: String,
}

/// A file and its text.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// All files as one value, and where each part of it came from.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) files: Vec<File>,
    pub(crate) flaws: Vec<Flaw>,
    /// Paths of files that are named and not there.
    pub(crate) absent: Vec<String>,
    root: Node,
}

/// A value that remembers where it was written.
#[derive(Clone, Debug)]
struct Node {
    file: usize,
    inside: Path,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    Plain(Value),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Sources {
    /// Reads the main file and everything it includes.
    pub(crate) fn read(name: &str, text: &str, files: Files<'_>) -> Self {
        let mut reading =
            Reading { source: files, files: Vec::new(), flaws: Vec::new(), absent: Vec::new(), chain: Vec::new() };
        let root = reading.file(name.to_owned(), text.to_owned());
        Self { root, files: reading.files, flaws: reading.flaws, absent: reading.absent }
    }

    /// Everything as one value.
    pub(crate) fn value(&self) -> Value {
        self.root.value()
    }

    /// Where a path of the whole stands: the file, and the place in it.
    pub(crate) fn place(&self, path: &Path, part: Part) -> (usize, Place) {
        let mut node = &self.root;
        let mut rest = path.steps();
        while let Some((step, after)) = rest.split_first()
            && let Some(next) = node.child(step)
        {
            (node, rest) = (next, after);
        }
        let text = self.files.get(node.file).map_or("", |file| file.text.as_str());
        let part = if rest.is_empty() && !node.inside.steps().is_empty() { part } else { Part::Value };
        (node.file, locate(text, &node.inside, part))
    }
}

impl Node {
    fn child(&self, step: &Step) -> Option<&Self> {
        match (&self.body, step) {
            (Body::List(items), Step::Index(at)) => items.get(*at),
            (Body::Object(entries), Step::Key(key)) => {
                entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
            }
            _ => None,
        }
    }

    fn value(&self) -> Value {
        match &self.body {
            Body::Plain(value) => value.clone(),
            Body::List(items) => items.iter().map(Self::value).collect(),
            Body::Object(entries) => {
                Value::Object(entries.iter().map(|(key, node)| (key.clone(), node.value())).collect::<Map<_, _>>())
            }
        }
    }

    /// Puts `over` into this, key by key.
    fn merge(&mut self, over: Self) {
        match (&mut self.body, over) {
            (Body::Object(base), Self { body: Body::Object(over), .. }) => {
                for (key, node) in over {
                    match base.iter_mut().find(|(name, _)| *name == key) {
                        Some((_, slot)) => slot.merge(node),
                        None => base.push((key, node)),
                    }
                }
            }
            (_, over) => *self = over,
        }
    }
}

struct Reading<'a> {
    source: Files<'a>,
    files: Vec<File>,
    flaws: Vec<Flaw>,
    absent: Vec<String>,
    /// Names of the files that are open.
    chain: Vec<String>,
}

impl Reading<'_> {
    fn file(&mut self, name: String, text: String) -> Node {
        let number = self.files.len();
        let document = read(&text);
        self.chain.push(name.clone());
        self.files.push(File { name, text });
        let root = Path::root();
        let node = match document {
            Ok(document) => {
                for path in document.repeated {
                    let place = self.locate(number, &path, Part::SecondKey);
                    self.flaw(number, place, path, "this key stands here a second time".into(), "keep one of the two");
                }
                self.expand(document.value, number, root)
            }
            Err(wrong) => {
                self.flaw(number, wrong.place, root.clone(), wrong.message, wrong.fix);
                Node { file: number, inside: root, body: Body::Object(Vec::new()) }
            }
        };
        self.chain.pop();
        node
    }

    fn flaw(&mut self, file: usize, place: Place, path: Path, message: String, fix: &str) {
        self.flaws.push(Flaw { file, place, path, message, fix: fix.to_owned() });
    }

    fn locate(&self, file: usize, path: &Path, part: Part) -> Place {
        locate(self.files.get(file).map_or("", |file| file.text.as_str()), path, part)
    }

    /// Replaces every `$include` in a value of a file.
    fn expand(&mut self, value: Value, file: usize, inside: Path) -> Node {
        let body = match value {
            Value::Array(items) => {
                let items = items.into_iter().enumerate();
                Body::List(items.map(|(at, item)| self.expand(item, file, inside.index(at))).collect())
            }
            Value::Object(mut entries) => {
                let include = entries.shift_remove("$include");
                let own = entries.into_iter().map(|(key, entry)| {
                    let node = self.expand(entry, file, inside.key(&key));
                    (key, node)
                });
                let own = Node { file, inside: inside.clone(), body: Body::Object(own.collect()) };
                let Some(include) = include else { return own };
                let mut whole = self.include(&include, file, &inside);
                if !matches!(&own.body, Body::Object(entries) if entries.is_empty()) {
                    whole.merge(own);
                }
                return whole;
            }
            plain => Body::Plain(plain),
        };
        Node { file, inside, body }
    }

    fn include(&mut self, names: &Value, file: usize, inside: &Path) -> Node {
        let at = inside.key("$include");
        let list: Vec<(&Value, Path)> = match names {
            Value::Array(names) => names.iter().enumerate().map(|(i, name)| (name, at.index(i))).collect(),
            one => vec![(one, at)],
        };
        let mut whole = Node { file, inside: inside.clone(), body: Body::Object(Vec::new()) };
        let mut first = true;
        for (name, at) in list {
            match self.open(name, file) {
                Ok((name, text)) => {
                    let node = self.file(name, text);
                    if std::mem::take(&mut first) { whole = node } else { whole.merge(node) }
                }
                Err((message, fix)) => {
                    let place = self.locate(file, &at, Part::Value);
                    self.flaw(file, place, at, message, fix);
                }
            }
        }
        whole
    }

    /// The file a name stands for, if it may be read.
    fn open(&mut self, name: &Value, file: usize) -> Result<(String, String), (String, &'static str)> {
        let Some(name) = name.as_str() else {
            return Err(("$include must be a file name or a list of them".into(), "write $include: \"agents.json5\""));
        };
        // The main file lies in the folder itself, wherever that is.
        let from = if file == 0 { "" } else { self.files.get(file).map_or("", |file| file.name.as_str()) };
        let Some(path) = join(from, name) else {
            let message = "the included file is outside the folder of the configuration".to_owned();
            return Err((message, "use a relative path to a file in the folder of the main file"));
        };
        if self.chain.iter().skip(1).any(|open| *open == path) {
            return Err(("the files include each other in a circle".into(), "remove one $include"));
        }
        if self.chain.len() > MAX_CHAIN || self.files.len() >= MAX_FILES {
            return Err(("too many files are included".into(), "use at most 10 levels and 64 files"));
        }
        if let Some(text) = (self.source)(&path) {
            return Ok((path, text));
        }
        self.absent.push(path.clone());
        Err((format!("the included file {path} is not there"), "create it, or remove the $include"))
    }
}

/// A relative path, from the file that names it; `None` if it leaves the folder.
fn join(from: &str, name: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    let foreign = name.starts_with('/') || name.contains(['\\', ':']) || name.chars().any(char::is_control);
    if foreign || name.is_empty() || name.len() > 1000 {
        return None;
    }
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sources(main: &str, others: &[(&str, &str)]) -> Sources {
        let others: Vec<(String, String)> = others.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
        let files = move |name: &str| others.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone());
        Sources::read("/etc/chela/chela.json5", main, &files)
    }

    fn place(sources: &Sources, keys: &[&str], part: Part) -> (usize, usize, usize) {
        let (file, place) = sources.place(&Path::of(keys), part);
        (file, place.line, place.column)
    }

    #[test]
    fn a_file_takes_the_place_of_what_names_it() {
        let found = sources("{ a: { $include: 'a.json5' }, b: 1 }", &[("a.json5", "\n{ x: 2 }")]);
        assert_eq!(found.value(), json!({ "a": { "x": 2 }, "b": 1 }));
        assert!(found.flaws.is_empty());
        assert_eq!(place(&found, &["a", "x"], Part::Key), (1, 2, 3));
        assert_eq!(place(&found, &["a", "x"], Part::Value), (1, 2, 6));
        assert_eq!(place(&found, &["b"], Part::Value), (0, 1, 34));
    }

    #[test]
    fn later_files_and_keys_beside_win_key_by_key_and_keep_their_places() {
        let main = "{ a: { $include: ['1.json5', 'sub/2.json5'], own: { k: 1 } } }";
        let one = "{ x: 1, deep: { m: 1, n: 1 }, own: { j: 1, k: 0 } }";
        let two = "{ x: 2, deep: { n: 2 }, list: { $include: './3.json5' } }";
        let found = sources(main, &[("1.json5", one), ("sub/2.json5", two), ("sub/3.json5", "[7]")]);
        let expected = json!({ "a": { "x": 2, "deep": { "m": 1, "n": 2 }, "own": { "j": 1, "k": 1 }, "list": [7] } });
        assert_eq!((found.value(), found.flaws.len()), (expected, 0));
        assert_eq!(place(&found, &["a", "x"], Part::Key).0, 2);
        assert_eq!(place(&found, &["a", "deep", "m"], Part::Value), (1, 1, 20));
        assert_eq!(place(&found, &["a", "deep", "n"], Part::Value), (2, 1, 20));
        assert_eq!(place(&found, &["a", "own", "k"], Part::Key), (0, 1, 53));
        assert_eq!(place(&found, &["a", "own", "j"], Part::Key).0, 1);
        assert_eq!(found.files.get(3).unwrap().name, "sub/3.json5");
    }

    #[test]
    fn nothing_outside_the_folder_is_asked_for() {
        for name in ["/etc/passwd", "../x", "a/../../x", "C:/x", "\\\\host\\x", "a\0b", "", ".", "file:x"] {
            let main = json!({ "$include": name }).to_string();
            let asked = |path: &str| -> Option<String> { panic!("{path} was asked for") };
            let found = Sources::read("chela.json5", &main, &asked);
            assert!(found.flaws.first().unwrap().message.contains("outside"), "{name:?}");
        }
        let found = sources(
            "{ $include: 'a/b.json5' }",
            &[("a/b.json5", "{ $include: '../c.json5' }"), ("c.json5", "{ c: 1 }")],
        );
        assert_eq!(found.value(), json!({ "c": 1 }));
    }

    #[test]
    fn circles_chains_and_crowds_end() {
        let circle = sources("{ $include: 'a' }", &[("a", "{ $include: 'b' }"), ("b", "{ $include: './a' }")]);
        assert!(circle.flaws.first().unwrap().message.contains("circle"));
        let chain: Vec<(String, String)> =
            (0..20).map(|i| (format!("f{i}"), format!("{{ $include: 'f{}' }}", i + 1))).collect();
        let chain: Vec<(&str, &str)> = chain.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let deep = sources("{ $include: 'f0' }", &chain);
        assert!(deep.flaws.first().unwrap().message.contains("too many"));
        assert_eq!(deep.files.len(), MAX_CHAIN + 1);
        let twice = |next: &str| format!("{{ a: {{ $include: '{next}' }}, b: {{ $include: '{next}' }} }}");
        let crowd: Vec<(String, String)> = (0..9).map(|i| (format!("f{i}"), twice(&format!("f{}", i + 1)))).collect();
        let crowd: Vec<(&str, &str)> = crowd.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(sources(&twice("f0"), &crowd).files.len(), MAX_FILES);
    }

    #[test]
    fn flaws_are_placed_in_their_own_file() {
        let found = sources("{ a: { $include: ['x', 'y', 5] } }", &[("x", "{ k: 1,\n  k: 2 }"), ("y", "{\n oops }")]);
        let flaws: Vec<_> =
            found.flaws.iter().map(|f| (f.file, f.place.line, f.place.column, f.message.as_str())).collect();
        let expected = [
            (1, 2, 3, "this key stands here a second time"),
            (2, 2, 7, "a colon is missing after a key"),
            (0, 1, 29, "$include must be a file name or a list of them"),
        ];
        assert_eq!(flaws, expected);
        let absent = sources("{ $include: ['gone', 'sub/gone'] }", &[]);
        assert_eq!(absent.absent, ["gone", "sub/gone"]);
    }
}
