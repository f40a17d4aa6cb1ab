//! Thoughts that a model writes into its answer between tags.

use std::ops::Range;

/// Between these nothing is for the reader.
const HIDDEN: [&str; 4] = ["think", "thinking", "thought", "antthinking"];

/// Between these everything is: only the tags go.
const SHOWN: &str = "final";

/// The answer without the model's thoughts. Tags in code stay; what follows an unclosed tag goes. Agrees with OpenClaw's
/// `stripReasoningTagsFromText`.
pub fn without_reasoning(text: &str) -> String {
    if !text.contains('<') {
        return text.trim().to_owned();
    }
    let code = code_ranges(text);
    let mut shown = String::with_capacity(text.len());
    let (mut depth, mut from) = (0_usize, 0_usize);
    for (at, _) in text.match_indices('<') {
        if at < from || code.iter().any(|range| range.contains(&at)) {
            continue;
        }
        let Some(tag) = tag_at(text.get(at..).unwrap_or_default()) else { continue };
        if depth == 0 {
            shown.push_str(text.get(from..at).unwrap_or_default());
        }
        from = at.saturating_add(tag.length);
        depth = match (tag.hides, tag.closes) {
            (true, false) => depth.saturating_add(1),
            (true, true) => depth.saturating_sub(1),
            (false, _) => depth,
        };
    }
    if depth == 0 {
        shown.push_str(text.get(from..).unwrap_or_default());
    }
    shown.trim().to_owned()
}

struct Tag {
    length: usize,
    closes: bool,
    hides: bool,
}

/// The tag `text` begins with, if it is one of ours.
fn tag_at(text: &str) -> Option<Tag> {
    let end = text.find('>')?;
    let inner = text.get(1..end)?.trim();
    let (closes, name) = match inner.strip_prefix('/') {
        Some(name) => (true, name.trim()),
        None => (false, inner),
    };
    let name = name.split(|c: char| c.is_whitespace() || c == '/').next()?.to_ascii_lowercase();
    let hides = HIDDEN.contains(&name.as_str());
    (hides || name == SHOWN).then_some(Tag { length: end.saturating_add(1), closes, hides })
}

/// Where code stands: between fences, and between equally long rows of backticks within a paragraph.
fn code_ranges(text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut fence: Option<(usize, char, usize)> = None;
    let mut at = 0_usize;
    let mut open_text = 0_usize;
    for line in text.split_inclusive('\n') {
        let mark = fence_of(line);
        match (&fence, mark) {
            (None, Some((mark, length))) => {
                inline(text, open_text..at, &mut ranges);
                fence = Some((at, mark, length));
            }
            (Some((from, open, length)), Some((mark, closing))) if mark == *open && closing >= *length => {
                let end = at.saturating_add(line.len());
                ranges.push(*from..end);
                (fence, open_text) = (None, end);
            }
            _ => {}
        }
        at = at.saturating_add(line.len());
    }
    match fence {
        Some((from, ..)) => ranges.push(from..text.len()),
        None => inline(text, open_text..text.len(), &mut ranges),
    }
    ranges
}

fn fence_of(line: &str) -> Option<(char, usize)> {
    let line = line.trim_start_matches(' ');
    let mark = line.chars().next().filter(|c| *c == '`' || *c == '~')?;
    let length = line.chars().take_while(|c| *c == mark).count();
    (length >= 3).then_some((mark, length))
}

fn inline(text: &str, within: Range<usize>, ranges: &mut Vec<Range<usize>>) {
    let mut at = within.start;
    while let Some(open) =
        text.get(at..within.end).and_then(|rest| rest.find('`')).map(|found| at.saturating_add(found))
    {
        let rest = text.get(open..within.end).unwrap_or_default();
        let length = rest.chars().take_while(|c| *c == '`').count();
        let mark = "`".repeat(length);
        let after = open.saturating_add(length);
        let body = text.get(after..within.end).unwrap_or_default();
        let Some(close) = body.find(&mark).filter(|close| !body.get(..*close).unwrap_or_default().contains("\n\n"))
        else {
            at = after;
            continue;
        };
        let end = after.saturating_add(close).saturating_add(length);
        ranges.push(open..end);
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_openclaw() {
        let fixtures = include_str!("../../../../tests/fixtures/openclaw/strip.jsonl");
        let mut read = 0;
        for line in fixtures.lines().filter(|line| !line.is_empty()) {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let input = case["input"].as_str().unwrap();
            assert_eq!(without_reasoning(input), case["output"]["visible"].as_str().unwrap().trim(), "{input:?}");
            read += 1;
        }
        assert_eq!(read, 5);
    }

    #[test]
    fn thoughts_go_and_code_stays() {
        let cases = [
            ("a<think>b<think>c</think>d</think>e", "ae"),
            ("<THINKING mode=\"x\">b</THINKING> a", "a"),
            ("<final>a</final> b", "a b"),
            ("a</think>b", "ab"),
            ("use `<think>` so", "use `<think>` so"),
            ("``a <think>`b`` <think>c", "``a <think>`b``"),
            ("~~~\n<think>x\n~~~\n<think>y</think>z", "~~~\n<think>x\n~~~\nz"),
            ("a ` b <think>c</think>\n\nd ` e", "a ` b \n\nd ` e"),
            ("<thinker>a</thinker>", "<thinker>a</thinker>"),
            ("1 < 2 > 0", "1 < 2 > 0"),
        ];
        for (text, wanted) in cases {
            assert_eq!(without_reasoning(text), wanted, "{text:?}");
        }
    }
}
