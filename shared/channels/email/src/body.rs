//! The text of a message: the plain part where there is one, else the HTML.

use mail_parser::{Message, MimeHeaders as _, PartType};

use crate::{html_text, quote, thread};

/// The longest text that is passed on, in characters; what waits in the queue must stay under a megabyte.
const LONGEST: usize = 100_000;

/// The longest text in which quotations are looked for, in characters.
const LONGEST_LOOKED_AT: usize = 4 * LONGEST;

/// Stands at the end of a text that was cut.
const CUT: &str = "\n\n[The message was longer. The rest was cut off.]";

/// What its author says: new text only, with the subject before it where the message begins a conversation.
pub(crate) fn text(message: &Message<'_>, subject: &str, has_files: bool) -> String {
    let whole = whole(message);
    let (reply, forwarded) = (thread::is_reply(message), quote::is_forwarded(subject));
    let fresh = match (forwarded, reply) {
        (true, _) => whole.clone(),
        (false, true) => quote::newest(&whole),
        (false, false) => quote::without_signature(&whole),
    };
    // An answer that only repeats must mean something; one with a file means the file.
    let said = if fresh.is_empty() && !has_files { whole } else { fresh };
    // A command stands alone, and an answer's subject is known.
    let said = if subject.is_empty() || (reply && !forwarded) || said.starts_with('/') {
        said
    } else if said.is_empty() {
        subject.to_owned()
    } else {
        format!("{subject}\n\n{said}")
    };
    match said.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}{CUT}", said.get(..end).unwrap_or_default()),
        None => said,
    }
}

/// All text parts that are shown, one below the other.
fn whole(message: &Message<'_>) -> String {
    let texts = message.text_bodies().filter_map(|part| match &part.body {
        PartType::Text(text) if is_flowed(part) => Some(unflowed(text, deletes_space(part))),
        PartType::Text(text) => Some(text.replace("\r\n", "\n")),
        PartType::Html(html) => Some(html_text::text(html)),
        _ => None,
    });
    let texts: Vec<String> = texts.map(|text| text.replace('\u{a0}', " ").trim_matches('\n').to_owned()).collect();
    let whole = texts.join("\n\n");
    // Nobody wrote more than that by hand; what is repeated below it need not even be looked at.
    let whole = whole
        .char_indices()
        .nth(LONGEST_LOOKED_AT)
        .map_or(whole.as_str(), |(end, _)| whole.get(..end).unwrap_or_default());
    whole.trim_end().to_owned()
}

fn attribute<'m>(part: &'m mail_parser::MessagePart<'_>, name: &str) -> Option<&'m str> {
    part.content_type()?.attribute(name)
}

fn is_flowed(part: &mail_parser::MessagePart<'_>) -> bool {
    attribute(part, "format").is_some_and(|format| format.eq_ignore_ascii_case("flowed"))
}

fn deletes_space(part: &mail_parser::MessagePart<'_>) -> bool {
    attribute(part, "delsp").is_some_and(|delsp| delsp.eq_ignore_ascii_case("yes"))
}

/// Puts together what `format=flowed` broke: a line that ends with a space goes on in the next one of the same depth.
/// <https://www.rfc-editor.org/rfc/rfc3676>
fn unflowed(text: &str, delete_space: bool) -> String {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        let content = line.trim_start_matches('>');
        let depth = line.len().saturating_sub(content.len());
        // A space was stuffed before lines that begin with one, with `>` or with `From `.
        let content = content.strip_prefix(' ').unwrap_or(content);
        match lines.last_mut() {
            Some((before, paragraph)) if open && *before == depth && content != "-- " => {
                if delete_space {
                    paragraph.pop();
                }
                paragraph.push_str(content);
            }
            _ => lines.push((depth, content.to_owned())),
        }
        open = content.ends_with(' ') && content != "-- ";
    }
    let marked = |(depth, line): (usize, String)| match depth {
        0 => line,
        _ => format!("{} {line}", ">".repeat(depth)),
    };
    lines.into_iter().map(marked).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;

    fn read(headers: &str, body: &str) -> String {
        let raw = format!("From: a@b.c\r\n{headers}\r\n\r\n{}", body.replace('\n', "\r\n"));
        let message = MessageParser::default().parse(raw.as_bytes()).unwrap();
        let subject = message.subject().unwrap_or_default().to_owned();
        text(&message, &subject, message.attachment_count() > 0)
    }

    #[test]
    fn the_subject_stands_before_what_begins_a_conversation() {
        assert_eq!(read("Subject: Trip", "When?\n\n-- \nAda\n"), "Trip\n\nWhen?");
        assert_eq!(read("Subject: Trip", "\n"), "Trip");
        assert_eq!(read("X: y", "When?\n"), "When?");
        assert_eq!(read("Subject: Trip", "/status\n"), "/status");
        assert_eq!(read("Subject: Re: Trip\r\nIn-Reply-To: <1@x>", "Ten.\n\nOn 1/1/26, Bot wrote:\n> When?\n"), "Ten.");
    }

    #[test]
    fn an_answer_that_only_repeats_is_kept_unless_a_file_came_along() {
        let repeated = "On 1/1/26, Bot wrote:\n> When?";
        assert_eq!(read("Subject: Re: Trip\r\nReferences: <1@x>", repeated), repeated);
        let parts = format!("--b\n\n{repeated}\n--b\nContent-Type: image/png\n\nx\n--b--\n");
        assert_eq!(read("References: <1@x>\r\nContent-Type: multipart/mixed; boundary=b", &parts), "");
    }

    #[test]
    fn what_is_passed_on_is_kept() {
        let passed = "Look:\n\n---------- Forwarded message ---------\nFrom: Eve <eve@x.org>\nDate: 1 Jan\nTo: a\n\n> hi\n-- \nEve";
        let wanted = format!("Fwd: News\n\n{passed}");
        assert_eq!(read("Subject: Fwd: News\r\nReferences: <1@x>", passed), wanted);
    }

    #[test]
    fn flowing_lines_are_put_together() {
        let flowed = "a long \nline of text\n> quoted \n> on\n>> deeper\n-- \nAda\n";
        assert_eq!(unflowed(flowed, false), "a long line of text\n> quoted on\n>> deeper\n-- \nAda");
        assert_eq!(unflowed("日本 \n語", true), "日本語");
        assert_eq!(unflowed(" >not quoted \n x", false), ">not quoted x");
        let headers = "Content-Type: text/plain; charset=utf-8; format=flowed; delsp=yes";
        assert_eq!(read(headers, "one \ntwo\n"), "onetwo");
    }

    #[test]
    fn plain_text_is_preferred_to_html_and_html_to_nothing() {
        let both = "--b\nContent-Type: text/plain\n\nplain\n--b\nContent-Type: text/html\n\n<p>html</p>\n--b--\n";
        assert_eq!(read("Content-Type: multipart/alternative; boundary=b", both), "plain");
        assert_eq!(read("Content-Type: text/html", "<div>a&auml;</div><div>b</div>"), "aä\nb");
        let answer =
            "<div>yes</div><div class=\"gmail_quote\">On 1/1/26 Bot &lt;b@x&gt; wrote:<blockquote>q</blockquote></div>";
        assert_eq!(read("Content-Type: text/html\r\nReferences: <1@x>", answer), "yes");
    }

    #[test]
    fn letters_of_every_age_and_country_are_read() {
        let headers = |charset: &str, encoding: &str| {
            format!("Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}")
        };
        assert_eq!(read(&headers("iso-2022-jp", "base64"), "GyRCRnxLXBsoQg==\n"), "日本");
        assert_eq!(read(&headers("gb18030", "base64"), "1tDOxA==\n"), "中文");
        assert_eq!(read(&headers("iso-8859-15", "quoted-printable"), "10 =A4\n"), "10 €");
        assert_eq!(read(&headers("unknown-8bit", "7bit"), "x\n"), "x");
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_and_says_so() {
        let read = read("X: y", &"é".repeat(LONGEST + 1));
        assert!(read.ends_with(CUT), "{}", read.len());
        assert_eq!(read.chars().count(), LONGEST + CUT.chars().count());
    }
}
