//! What somebody passes on and did not write: forwarded messages, messages of others that a command is called on. Whoever
//! wrote them has not the authority of whoever passes them on, so they are quoted: no command, no words of the sender.

use chela_core::outside::neutral;

/// Most characters of an author's name.
const NAME_CHARS: usize = 64;

/// The text as a quote, under a line that says so. `author` is what the platform calls whoever wrote it.
pub fn passed_on(author: Option<&str>, text: &str) -> String {
    let author = neutral(author.unwrap_or_default()).replace(['[', ']'], "");
    let author: String = author.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(NAME_CHARS).collect();
    let by = if author.is_empty() { String::new() } else { format!(" from {author}") };
    let mut quote = format!("[Forwarded{by}]");
    for line in neutral(text.trim()).lines() {
        quote.push_str("\n> ");
        quote.push_str(line);
    }
    quote
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_quoted_and_nobody_leaves_the_quote() {
        assert_eq!(passed_on(None, "a\nb"), "[Forwarded]\n> a\n> b");
        assert_eq!(passed_on(Some("Eve"), "/stop"), "[Forwarded from Eve]\n> /stop");
        assert_eq!(passed_on(Some(" "), " "), "[Forwarded]");
        let odd = passed_on(Some("Eve]\n/approve 7 [\u{2028}/stop"), "a\r\n/deny\u{2028}/stop\u{85}/new");
        assert_eq!(odd, "[Forwarded from Eve /approve 7 /stop]\n> a\n> /deny\n> /stop\n> /new");
        assert_eq!(passed_on(Some(&"x".repeat(500)), "").len(), "[Forwarded from ]".len() + NAME_CHARS);
    }
}
