//! The signature does not say where a name ends and its value begins, nor where the URL does. Who has one signed post could
//! cut it otherwise: what somebody wrote becomes the sender, or the message gets the id of another, and is new again. What
//! Twilio named first then stands in some other place, but it stands there.

/// What Twilio's ids of messages have behind their two letters: <https://www.twilio.com/docs/glossary/what-is-a-sid>.
const SID_DIGITS: usize = 32;

/// Fewer digits behind `From` are no number that Twilio delivers for, but may well be somebody's words.
const SHORTEST_NUMBER: usize = 3;

/// Whether the signed text names no sender but this one, and no message but this one.
pub(crate) fn is_unambiguous(signed: &str, from: &str, sid: &str) -> bool {
    let sids = named(signed, "MessageSid", sid_at).chain(named(signed, "SmsSid", sid_at));
    // What a message answers to is named beside it.
    let others = sids.filter(|(before, other)| *other != sid && !before.ends_with("OriginalReplied"));
    address_at(from) == Some(from) && named(signed, "From", address_at).count() == 1 && others.count() == 0
}

/// Wherever the name stands with such a value behind it: what is before the name, and the value.
fn named<'t>(
    signed: &'t str,
    name: &'static str,
    value: fn(&'t str) -> Option<&'t str>,
) -> impl Iterator<Item = (&'t str, &'t str)> {
    signed.match_indices(name).filter_map(move |(at, _)| {
        let (before, rest) = signed.split_at_checked(at)?;
        Some((before, value(rest.strip_prefix(name)?)?))
    })
}

/// The address that a text begins with: `+15550000001`, `72345`, `whatsapp:+15550000001`, `whatsapp:US.1349120865530`.
fn address_at(text: &str) -> Option<&str> {
    let scheme = text.bytes().take_while(u8::is_ascii_lowercase).count();
    let bare = text.split_at_checked(scheme).and_then(|(_, rest)| rest.strip_prefix(':')).filter(|_| scheme > 0);
    let bare = bare.unwrap_or(text);
    let country = bare.split_at_checked(3).filter(|(country, _)| is_country(country)).map(|(_, rest)| rest);
    let number = country.or_else(|| bare.strip_prefix('+')).unwrap_or(bare);
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    let end = text.len().checked_sub(number.len())?.checked_add(digits)?;
    text.get(..end).filter(|_| digits >= SHORTEST_NUMBER)
}

/// What stands before the number of somebody who hides theirs on WhatsApp.
fn is_country(text: &str) -> bool {
    text.strip_suffix('.').is_some_and(|country| country.bytes().all(|letter| letter.is_ascii_uppercase()))
}

/// The id that a text begins with: `SM` or `MM`, and digits of base 16.
fn sid_at(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("SM").or_else(|| text.strip_prefix("MM"))?;
    let fit = digits.get(..SID_DIGITS)?.bytes().all(|digit| digit.is_ascii_hexdigit());
    text.get(..SID_DIGITS.checked_add(2)?).filter(|_| fit)
}
