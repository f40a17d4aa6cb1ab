//! Files and choices in an answer, in the words OpenClaw taught its agents: `MEDIA:<path>` on a line of its own,
//! `[[quick_replies: A, B]]`, `[[confirm: question | yes | no]]`, `[[buttons: title | text | Label:value, …]]`.

use serde_json::Value;

use crate::channel::Choice;

/// Most choices of one message, most characters of a label and of a value: more is no choice but a list.
const MOST_CHOICES: usize = 10;
const LABEL_CHARS: usize = 80;
const VALUE_CHARS: usize = 200;

/// Begins a line that names a file.
const MEDIA: &str = "MEDIA:";

/// Begins the last line of a part that carries choices, as parts are stored.
const CHOICES: &str = "[[choices: ";

/// What an answer is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Words.
    Text(String),
    /// A file, by its path.
    File(String),
}

/// Cuts an answer at the lines that name files. Lines in code blocks name none.
pub fn pieces(markdown: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut fenced = false;
    for line in markdown.split_inclusive('\n') {
        let trimmed = line.trim();
        if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
            fenced = !fenced;
        }
        match path_of(trimmed).filter(|_| !fenced) {
            Some(path) => {
                push(&mut pieces, &mut text);
                pieces.push(Piece::File(path.to_owned()));
            }
            None => text.push_str(line),
        }
    }
    push(&mut pieces, &mut text);
    pieces
}

fn push(pieces: &mut Vec<Piece>, text: &mut String) {
    let done = std::mem::take(text);
    if !done.trim().is_empty() {
        pieces.push(Piece::Text(done.trim_matches('\n').trim_end().to_owned()));
    }
}

fn path_of(line: &str) -> Option<&str> {
    let path = line.strip_prefix(MEDIA)?.trim().trim_matches('`').trim();
    // URLs stay text: a link leads there as well, and nothing is fetched because a model wrote it.
    (!path.is_empty() && !path.contains("://")).then_some(path)
}

/// A text and what can be chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The words.
    pub text: String,
    /// The choices, for the end of the text.
    pub choices: Vec<Choice>,
    /// The file this part is, by its path; then there are no words.
    pub file: Option<String>,
}

impl Said {
    /// Reads a text with its directives. What is in code, and what is no directive, stays as it is.
    pub fn of(markdown: &str) -> Self {
        if let Some(path) = path_of(markdown.trim()).filter(|_| !markdown.trim().contains('\n')) {
            return Self { file: Some(path.to_owned()), ..Self::default() };
        }
        let mut said = Self::default();
        let mut rest = markdown;
        let mut in_code = false;
        while let Some(at) = rest.find("[[") {
            let (before, from) = rest.split_at(at);
            in_code ^= before.matches('`').count() % 2 == 1;
            said.text.push_str(before);
            let end = from.find("]]").filter(|_| !in_code);
            let directive = end.and_then(|end| directive(from.get(2..end)?).map(|what| (end, what)));
            match directive {
                Some((end, (text, choices))) => {
                    said.text.push_str(&text);
                    said.choices.extend(choices);
                    rest = from.get(end.saturating_add(2)..).unwrap_or_default();
                }
                None => {
                    said.text.push_str("[[");
                    rest = from.get(2..).unwrap_or_default();
                }
            }
        }
        said.text.push_str(rest);
        said.choices.truncate(MOST_CHOICES);
        said.text = said.text.trim_end().to_owned();
        said
    }

    /// Reads a part as [`Said::part`] wrote it.
    pub fn of_part(part: &str) -> Self {
        let (text, last) = part.rsplit_once('\n').unwrap_or(("", part));
        let json = last.strip_prefix(CHOICES).and_then(|last| last.strip_suffix("]]"));
        match json.and_then(|json| serde_json::from_str::<Vec<(String, String)>>(json).ok()) {
            Some(choices) => {
                let choices = choices.into_iter().map(|(label, value)| Choice { label, value }).collect();
                Self { text: text.to_owned(), choices, file: None }
            }
            None => match path_of(part).filter(|_| !part.contains('\n')) {
                Some(path) => Self { file: Some(path.to_owned()), ..Self::default() },
                None => Self { text: part.to_owned(), ..Self::default() },
            },
        }
    }

    /// The part as it is stored until it is sent.
    pub fn part(&self) -> String {
        if let Some(path) = &self.file {
            return format!("{MEDIA}{path}");
        }
        if self.choices.is_empty() {
            return self.text.clone();
        }
        let choices: Vec<(&str, &str)> = self.choices.iter().map(|c| (c.label.as_str(), c.value.as_str())).collect();
        let json = serde_json::to_value(choices).unwrap_or(Value::Null);
        format!("{}\n{CHOICES}{json}]]", self.text)
    }
}

/// What stands in the place of a directive, and its choices; `None` if it is none.
fn directive(inner: &str) -> Option<(String, Vec<Choice>)> {
    let inner = inner.trim();
    if ["reply_to_current", "audio_as_voice"].contains(&inner) || inner.starts_with("reply_to:") {
        return Some((String::new(), Vec::new()));
    }
    let (name, body) = inner.split_once(':')?;
    let fields: Vec<&str> = body.split('|').map(str::trim).collect();
    match (name.trim(), fields.as_slice()) {
        ("quick_replies", [all]) => Some((String::new(), choices(all))),
        ("confirm", [question, yes, no]) => {
            Some(((*question).to_owned(), [yes, no].into_iter().filter_map(|text| choice(text)).collect()))
        }
        ("buttons", [title, text, all]) => {
            let words: Vec<&str> = [*title, *text].into_iter().filter(|words| !words.is_empty()).collect();
            Some((words.join("\n"), choices(all)))
        }
        _ => None,
    }
}

fn choices(all: &str) -> Vec<Choice> {
    all.split(',').filter_map(choice).collect()
}

fn choice(text: &str) -> Option<Choice> {
    let (label, value) = text.split_once(':').unwrap_or((text, text));
    let cut = |text: &str, most: usize| text.trim().chars().filter(|c| !c.is_control()).take(most).collect::<String>();
    let (label, value) = (cut(label, LABEL_CHARS), cut(value, VALUE_CHARS));
    (!label.is_empty() && !value.is_empty()).then_some(Choice { label, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(label: &str, value: &str) -> Choice {
        Choice { label: label.into(), value: value.into() }
    }

    #[test]
    fn files_stand_on_lines_of_their_own() {
        assert_eq!(
            pieces("Look:\nMEDIA:charts/a b.png\nand\nMEDIA: `x.pdf`\n"),
            [
                Piece::Text("Look:".into()),
                Piece::File("charts/a b.png".into()),
                Piece::Text("and".into()),
                Piece::File("x.pdf".into())
            ]
        );
        for text in ["say MEDIA:x", "```\nMEDIA:x\n```", "MEDIA:https://x/y.png", "MEDIA:", "media:x"] {
            assert_eq!(pieces(text), [Piece::Text(text.into())], "{text}");
        }
        assert_eq!(pieces(" \n"), []);
    }

    #[test]
    fn choices_are_read_in_openclaws_words() {
        let said = Said::of("Pick [[quick_replies: Red, Dark blue ,]] one");
        assert_eq!(
            (said.text.as_str(), said.choices),
            ("Pick  one", vec![choice("Red", "Red"), choice("Dark blue", "Dark blue")])
        );
        let said = Said::of("[[buttons: Deploy? | It takes an hour | Yes:go:1, No:stop]]");
        assert_eq!(
            (said.text.as_str(), said.choices),
            ("Deploy?\nIt takes an hour", vec![choice("Yes", "go:1"), choice("No", "stop")])
        );
        let said = Said::of("[[confirm: Sure? | Yes | No]] [[reply_to_current]]");
        assert_eq!((said.text.as_str(), said.choices), ("Sure?", vec![choice("Yes", "Yes"), choice("No", "No")]));
        for text in ["`[[quick_replies: A]]`", "[[wiki link]]", "[[quick_replies: A", "[[confirm: a | b]]", "a[[0]]"] {
            assert_eq!(Said::of(text), Said { text: text.into(), ..Said::default() }, "{text}");
        }
        assert_eq!(Said::of(&format!("[[quick_replies: {}]]", "a,".repeat(30))).choices.len(), MOST_CHOICES);
    }

    #[test]
    fn a_stored_part_reads_as_it_was() {
        let parts = [
            Said { text: "May I?\nTell".into(), choices: vec![choice("Yes, \"go\" ]]", "a|b:c")], file: None },
            Said { text: String::new(), choices: vec![choice("A", "a")], file: None },
            Said { text: "plain [[choices: no]]".into(), ..Said::default() },
            Said { file: Some("a b.png".into()), ..Said::default() },
        ];
        for part in parts {
            assert_eq!(Said::of_part(&part.part()), part);
        }
    }
}
