//! Compares our reading of markdown with OpenClaw's `markdownToIR`: a text, and ranges of it in UTF-16 units that have a
//! style or lead somewhere. `tests/fixtures/openclaw/generated_markdown_ir.jsonl` is what its function answered.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Dialect, Span, render};

/// Where we differ on purpose: the input, and why ours is better for a reader.
const DIFFERENT: &[(&str, &str)] = &[
    ("> quote\n> more\n\n| a | b |", "a table is aligned in a fixed width, not shown with its bars"),
    ("> a\n>> b", "a quote's inner blocks stand close together"),
    ("https://bare.example/path", "every platform makes links of bare URLs itself"),
    ("![alt](https://e.com/i.png)", "a picture's text leads to the picture"),
    ("- item\n\n  second para", "an item's paragraphs stand close together, so that lists stay lists"),
];

/// Marks that no reply contains, around every range.
const OPEN: char = '\u{f0000}';
const CLOSE: char = '\u{f0001}';
const END: char = '\u{f0002}';

struct Ranges;

fn marked(kind: &str, inner: &str) -> String {
    format!("{OPEN}{kind}{END}{inner}{CLOSE}")
}

impl Dialect for Ranges {
    fn span(&self, span: &Span) -> String {
        let mut text = span.text.clone();
        for (on, kind) in [
            (span.style.code, "code"),
            (span.style.bold, "bold"),
            (span.style.italic, "italic"),
            (span.style.strike, "strikethrough"),
        ] {
            if on {
                text = marked(kind, &text);
            }
        }
        match &span.link {
            Some(link) => marked(&format!("={link}"), &text),
            None => text,
        }
    }

    fn code(&self, _language: &str, text: &str) -> String {
        marked("code_block", text)
    }

    fn quote(&self, inner: &str) -> String {
        marked("blockquote", inner)
    }

    fn heading(&self, _level: u8, spans: &[Span]) -> String {
        spans.iter().map(|span| self.span(span)).collect()
    }
}

type Range = (usize, usize, String);

/// The text and its ranges, touching ones of one kind joined.
fn ours(markdown: &str) -> (String, BTreeSet<Range>) {
    let written = render(markdown, &Ranges);
    let (mut text, mut open, mut ranges) = (String::new(), Vec::<(usize, String)>::new(), Vec::<Range>::new());
    let mut characters = written.chars();
    let mut at = 0;
    while let Some(c) = characters.next() {
        match c {
            OPEN => open.push((at, characters.by_ref().take_while(|c| *c != END).collect())),
            CLOSE => {
                let (start, kind) = open.pop().unwrap();
                ranges.push((start, at, kind));
            }
            _ => {
                text.push(c);
                at += c.len_utf16();
            }
        }
    }
    (text, joined(ranges))
}

fn joined(mut ranges: Vec<Range>) -> BTreeSet<Range> {
    ranges.sort_by(|a, b| (&a.2, a.0).cmp(&(&b.2, b.0)));
    let mut joined: Vec<Range> = Vec::new();
    for (start, end, kind) in ranges {
        match joined.last_mut() {
            Some(last) if last.2 == kind && last.1 >= start => last.1 = last.1.max(end),
            _ => joined.push((start, end, kind)),
        }
    }
    joined.into_iter().collect()
}

fn theirs(output: &Value) -> (String, BTreeSet<Range>) {
    let number = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    let list = |key: &str| output[key].as_array().unwrap().clone();
    let mut ranges = Vec::new();
    for style in list("styles") {
        let kind = style["style"].as_str().unwrap().to_owned();
        // Theirs counts the line break after the last line of code.
        let end = number(&style["end"]) - usize::from(kind == "code_block");
        ranges.push((number(&style["start"]), end, kind));
    }
    for link in list("links") {
        ranges.push((number(&link["start"]), number(&link["end"]), format!("={}", link["href"].as_str().unwrap())));
    }
    (output["text"].as_str().unwrap().trim_end().to_owned(), joined(ranges))
}

#[test]
fn agrees_with_openclaw_but_where_it_says_why() {
    let given = include_str!("../../../../tests/fixtures/openclaw/markdown_ir.jsonl");
    let generated = include_str!("../../../../tests/fixtures/openclaw/generated_markdown_ir.jsonl");
    let (mut read, mut differ) = (0, Vec::new());
    for line in given.lines().chain(generated.lines()).filter(|line| !line.is_empty()) {
        let case: Value = serde_json::from_str(line).unwrap();
        let input = case["input"].as_str().unwrap();
        let (ours, theirs) = (ours(input), theirs(&case["output"]));
        let known = DIFFERENT.iter().any(|(begins, _)| input.starts_with(begins));
        if (ours == theirs) == known {
            differ.push(json!({"input": input.chars().take(200).collect::<String>(), "known": known,
                "ours": format!("{ours:?}"), "theirs": format!("{theirs:?}")}));
        }
        read += 1;
    }
    assert!(differ.is_empty(), "{}", serde_json::to_string_pretty(&differ).unwrap());
    assert_eq!(read, 7 + 52);
}
