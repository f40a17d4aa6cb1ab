//! `Authentication-Results` (RFC 8601): what a receiving server found out about a message, written into it.

use mail_parser::MessageParser;

use crate::address;
use crate::forward::Verdict;

const HEADER: &str = "authentication-results";

/// What the server `authserv_id` wrote about the author of `message`: its first result of DMARC, or else a DKIM
/// signature of the author's own domain that passed.
///
/// Only a server that removes headers under its own name from what others send can be believed (RFC 8601 §5); the
/// topmost header counts, because servers write theirs at the top.
pub fn authentication_results(message: &[u8], authserv_id: &str) -> Verdict {
    let Some(parsed) = MessageParser::default().parse_headers(message) else { return Verdict::None };
    let Some(author) = address::author(&parsed).map(|(author, _)| author) else { return Verdict::None };
    let own: Vec<String> = address::written(&parsed, HEADER)
        .map(|value| without_quotations(&value))
        .filter(|value| is_from(value, authserv_id))
        .collect();
    let domain = address::halves(&author).1;
    let results = || own.iter().flat_map(|value| value.split(';').skip(1)).map(str::trim);
    let dmarc = results().find_map(|result| result.strip_prefix("dmarc=")).unwrap_or_default();
    let judged = dmarc.split_whitespace().find_map(|word| word.strip_prefix("header.from="));
    match dmarc.split_whitespace().next() {
        // Whoever judged another author than we read has proved nothing about ours.
        Some("pass") if judged.is_none_or(|judged| is_above(judged, domain)) => Verdict::Pass,
        Some("pass") => Verdict::None,
        Some("fail") => Verdict::Fail,
        _ if results().any(|result| signed_by(result, domain)) => Verdict::Pass,
        _ => Verdict::None,
    }
}

/// Whether `above` is `domain` or a domain it belongs to. One label alone, such as `com`, is nobody's domain.
fn is_above(above: &str, domain: &str) -> bool {
    above.contains('.') && (above == domain || domain.ends_with(&format!(".{above}")))
}

fn is_from(value: &str, authserv_id: &str) -> bool {
    let id = value.split(';').next().and_then(|head| head.split_whitespace().next());
    id.is_some_and(|id| id.eq_ignore_ascii_case(authserv_id))
}

/// Whether a result is a passed DKIM signature of `domain` or of a domain above it: "relaxed" alignment, RFC 7489 §3.1.1.
fn signed_by(result: &str, domain: &str) -> bool {
    let mut words = result.split_whitespace();
    if words.next() != Some("dkim=pass") {
        return false;
    }
    let signer = words.find_map(|word| {
        word.strip_prefix("header.d=").or_else(|| Some(word.strip_prefix("header.i=")?.rsplit_once('@')?.1))
    });
    signer.is_some_and(|signer| is_above(signer, domain))
}

/// In lower case and without what stands in parentheses or in quotes: there a server quotes its client, who may have
/// called himself `"; dmarc=pass"`.
fn without_quotations(value: &str) -> String {
    let (mut depth, mut quoted) = (0_u32, false);
    let mut kept = String::new();
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' if quoted || depth > 0 => drop(rest.next()),
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => depth = depth.saturating_add(1),
            ')' if !quoted => depth = depth.saturating_sub(1),
            c if depth == 0 && !quoted => kept.push(c.to_ascii_lowercase()),
            _ => {}
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(headers: &str) -> Verdict {
        let message = format!("{headers}From: Ada <ada@mail.example.com>\r\nSubject: x\r\n\r\nbody\r\n");
        authentication_results(message.as_bytes(), "mx.example.org")
    }

    #[test]
    fn the_first_word_of_our_own_server_counts() {
        let cases = [
            (
                "Authentication-Results: mx.example.org; dmarc=pass (p=none dis=none) header.from=example.com",
                Verdict::Pass,
            ),
            (
                "Authentication-Results: MX.example.org 1; spf=fail;\r\n\tDMARC=Fail header.from=example.com",
                Verdict::Fail,
            ),
            ("Authentication-Results: mx.example.org; dkim=pass header.d=example.com", Verdict::Pass),
            ("Authentication-Results: mx.example.org; dkim=pass header.i=@mail.example.com header.s=x", Verdict::Pass),
            ("Authentication-Results: mx.example.org; dmarc=none; dkim=pass header.d=example.com", Verdict::Pass),
            ("Authentication-Results: mx.example.org; dmarc=fail; dkim=pass header.d=example.com", Verdict::Fail),
            (
                "Authentication-Results: mx.example.org; dmarc=fail\r\nAuthentication-Results: mx.example.org; dmarc=pass",
                Verdict::Fail,
            ),
            (
                "Authentication-Results: mx.example.org; spf=pass\r\nAuthentication-Results: mx.example.org; dmarc=pass",
                Verdict::Pass,
            ),
        ];
        for (headers, wanted) in cases {
            assert_eq!(verdict(&format!("{headers}\r\n")), wanted, "{headers}");
        }
    }

    #[test]
    fn nobody_elses_word_counts() {
        for headers in [
            "",
            "Authentication-Results: evil.example.net; dmarc=pass\r\n",
            "Authentication-Results: mx.example.org; dmarc=pass header.from=evil.net\r\n",
            "Authentication-Results: mx.example.org.evil.net; dmarc=pass\r\n",
            "Authentication-Results: evil.net (mx.example.org); dmarc=pass\r\n",
            "Authentication-Results: mx.example.org; none\r\n",
            "Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=mail.example.com\r\n",
            "Authentication-Results: mx.example.org; dkim=pass header.d=evil.net\r\n",
            "Authentication-Results: mx.example.org; dkim=pass header.d=ample.com\r\n",
            "Authentication-Results: mx.example.org; dkim=pass header.d=com\r\n",
            "Authentication-Results: mx.example.org; dkim=fail header.d=example.com\r\n",
            "Authentication-Results: mx.example.org; dkim=fail (dkim=pass header.d=example.com; dmarc=pass)\r\n",
            "Authentication-Results: mx.example.org; spf=none smtp.mailfrom=\"; dmarc=pass\"@evil.net\r\n",
            "Authentication-Results: mx.example.org; spf=none smtp.mailfrom=\"\\\"; dmarc=pass\"@evil.net\r\n",
            "Authentication-Results: mx.example.org; spf=none (\\); dmarc=pass)\r\n",
            "X-Authentication-Results: mx.example.org; dmarc=pass\r\n",
        ] {
            assert_eq!(verdict(headers), Verdict::None, "{headers}");
        }
    }

    #[test]
    fn without_one_author_there_is_no_verdict() {
        let message = b"Authentication-Results: mx.example.org; dmarc=pass\r\nFrom: a@b.c, d@e.f\r\n\r\nx";
        assert_eq!(authentication_results(message, "mx.example.org"), Verdict::None);
        assert_eq!(authentication_results(b"", "mx.example.org"), Verdict::None);
    }
}
