//! A message that was only written in HTML, as text. Quotations get `>` before each line, as they have in plain mail, so
//! that one reading of quotations serves both.

use mail_parser::decoders::html::html_to_text;

/// Stands where a browser begins a new line; a private character, so no message contains it after [`text`] began.
const LINE: char = '\u{e000}';

/// Quotations deeper than this look like this deep.
const DEEPEST: usize = 10;

/// Elements that begin and end a line.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "blockquote",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "tr",
    "ul",
];

/// The text a reader of `html` sees, line by line.
pub(crate) fn text(html: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let (mut depth, mut rest) = (0_usize, html);
    let mut segment = String::new();
    while let Some((before, after)) = rest.split_once('<') {
        push(&mut segment, before);
        let name: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '/').take(16).collect();
        let name = name.trim_end_matches('/').to_ascii_lowercase();
        let (begins, element) = name.strip_prefix('/').map_or((true, name.as_str()), |element| (false, element));
        if element == "blockquote" {
            flush(&mut segment, depth, &mut lines);
            depth = if begins { depth.saturating_add(1) } else { depth.saturating_sub(1) };
            rest = after.split_once('>').map_or("", |(_, rest)| rest);
            continue;
        }
        let block = BLOCKS.contains(&element);
        if block {
            segment.push(LINE);
        }
        if element == "li" && begins {
            segment.push_str("- ");
        }
        segment.push('<');
        rest = after;
    }
    push(&mut segment, rest);
    flush(&mut segment, depth, &mut lines);
    lines.join("\n").trim_end().to_owned()
}

fn push(segment: &mut String, text: &str) {
    segment.extend(text.chars().filter(|c| *c != LINE));
}

/// Writes the lines of a segment that is quoted `depth` times.
fn flush(segment: &mut String, depth: usize, lines: &mut Vec<String>) {
    let text = html_to_text(&std::mem::take(segment));
    let mark = "> ".repeat(depth.min(DEEPEST));
    let mut line = String::new();
    let mut end = |line: &mut String, always: bool| {
        let text = std::mem::take(line);
        let text = text.trim();
        if always || !text.is_empty() {
            lines.push(format!("{mark}{text}").trim_end().to_owned());
        }
    };
    for c in text.chars() {
        match c {
            LINE => end(&mut line, false),
            '\n' => end(&mut line, true),
            '\u{a0}' => line.push(' '),
            c => line.push(c),
        }
    }
    end(&mut line, false);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_where_a_browser_begins_them() {
        let cases = [
            ("<div>a</div><div>b</div>", "a\nb"),
            ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
            ("<p>a &amp; b</p><p>c&nbsp;d</p>", "a & b\n\nc d"),
            ("a<br>b<br/>c", "a\nb\nc"),
            ("<html><head><title>x</title><style>p{}</style></head><body><h1>T</h1>text</body></html>", "T\ntext"),
            ("<ul><li>a</li><li>b <b>c</b></li></ul>", "- a\n- b c"),
            ("<table><tr><td>a</td> <td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
            ("a <!-- <div>x</div> --> b", "a b"),
            ("x<script>alert(1)</script>y", "xy"),
            ("&lt;b&gt; 1 &lt; 2", "<b> 1 < 2"),
            ("no mark-up", "no mark-up"),
            ("", ""),
        ];
        for (html, wanted) in cases {
            assert_eq!(text(html), wanted, "{html}");
        }
    }

    #[test]
    fn quotations_get_their_marks() {
        let html = "<div>yes</div><div>On Monday Ada wrote:<br><blockquote type=\"cite\"><div>one</div>\
                    <blockquote>two<br>three</blockquote></blockquote></div>after";
        assert_eq!(text(html), "yes\nOn Monday Ada wrote:\n> one\n> > two\n> > three\nafter");
        assert_eq!(text("<blockquote"), "");
        assert_eq!(text("</blockquote>a"), "a");
    }

    proptest! {
        #[test]
        fn every_text_is_read(html in "[<>/!&;# a-z\u{e000}é\n-]{0,80}|(<(/?)(div|br|blockquote|li|style|script|p|!--)[ >]?|&[a-z#]{0,4};?|-->|[a-z ]){0,40}") {
            text(&html);
        }
    }
}
