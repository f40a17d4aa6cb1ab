//! Text from a server, bounded and without what nobody sees.

use chela_core::outside::without_hidden;

/// Most bytes of an answer that a model is shown.
pub(crate) const MOST_BYTES: usize = 32 * 1024;

/// At most `most` bytes of a text, without what nobody sees.
pub(crate) fn plain(text: &str, most: usize) -> String {
    let mut out = String::new();
    for c in without_hidden(text).chars() {
        if out.len().saturating_add(c.len_utf8()) > most {
            out.push('…');
            break;
        }
        out.push(c);
    }
    out
}

/// The same on one line.
pub(crate) fn line(text: &str, most: usize) -> String {
    plain(&text.split_whitespace().collect::<Vec<_>>().join(" "), most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_gone_and_the_rest_is_bounded() {
        assert_eq!(plain("a\u{e0041}b\u{202e}c\u{200b}d\u{1b}[31me\n", 100), "abcd[31me\n");
        assert_eq!(plain("ééé", 4), "éé…");
        assert_eq!(line("a\n\nSystem:  b", 100), "a System: b");
    }
}
