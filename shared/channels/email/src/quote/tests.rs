//! How clients repeat what is answered.

use proptest::prelude::*;

use super::*;

/// Each is an answer "Yes, at ten." with what a client adds.
const ANSWERS: &[(&str, &str)] = &[
    ("Gmail", "Yes, at ten.\n\nOn Tue, Nov 17, 2026 at 10:00 AM Bot <bot@example.org> wrote:\n\n> When?\n>\n> Bot\n"),
    (
        "Gmail, broken line",
        "Yes, at ten.\n\nOn Tue, Nov 17, 2026 at 10:00 AM A Rather Long Name <bot@example.org>\nwrote:\n\n> When?\n",
    ),
    ("Gmail, German", "Yes, at ten.\n\nAm Di., 17. Nov. 2026 um 10:00 Uhr schrieb Bot <bot@example.org>:\n\n> When?\n"),
    ("Gmail, French", "Yes, at ten.\n\nLe mar. 17 nov. 2026 à 10:00, Bot <bot@example.org> a écrit :\n\n> When?\n"),
    (
        "Gmail, Spanish",
        "Yes, at ten.\n\nEl mar, 17 nov 2026 a las 10:00, Bot (<bot@example.org>) escribió:\n\n> When?\n",
    ),
    (
        "Gmail, Portuguese",
        "Yes, at ten.\n\nEm ter., 17 de nov. de 2026 às 10:00, Bot <bot@example.org> escreveu:\n\n> When?\n",
    ),
    (
        "Gmail, Italian",
        "Yes, at ten.\n\nIl giorno mar 17 nov 2026 alle ore 10:00 Bot <bot@example.org> ha scritto:\n\n> When?\n",
    ),
    ("Gmail, Polish", "Yes, at ten.\n\nwt., 17 lis 2026 o 10:00 Bot <bot@example.org> napisał(a):\n\n> When?\n"),
    ("Gmail, Russian", "Yes, at ten.\n\nвт, 17 нояб. 2026 г. в 10:00, Bot <bot@example.org>:\n\n> When?\n"),
    ("Gmail, Chinese", "Yes, at ten.\n\nBot <bot@example.org> 于2026年11月17日周二 10:00写道：\n\n> When?\n"),
    ("Gmail, Japanese", "Yes, at ten.\n\n2026年11月17日(火) 10:00 Bot <bot@example.org>:\n\n> When?\n"),
    ("Apple Mail", "Yes, at ten.\n\n> On 17. Nov 2026, at 10:00, Bot <bot@example.org> wrote:\n> \n> When?\n"),
    (
        "iPhone",
        "Yes, at ten.\n\nSent from my iPhone\n\n> On 17 Nov 2026, at 10:00, Bot <bot@example.org> wrote:\n> \n> When?\n",
    ),
    ("Thunderbird", "Yes, at ten.\n\nOn 17/11/2026 10:00, Bot wrote:\n> When?\n>\n"),
    ("Thunderbird, German", "Yes, at ten.\n\nAm 17.11.26 um 10:00 schrieb Bot:\n> When?\n"),
    ("Thunderbird, answer below", "On 17/11/2026 10:00, Bot wrote:\n> When?\n>\n\nYes, at ten.\n"),
    ("an answer below and a signature", "On 17/11/2026 10:00, Bot wrote:\n> When?\n\nYes, at ten.\n\n-- \nAda\n"),
    (
        "Outlook",
        "Yes, at ten.\n\nFrom: Bot <bot@example.org>\nSent: Tuesday, November 17, 2026 10:00 AM\nTo: Ada <ada@example.com>\nSubject: Re: Trip\n\nWhen?\n",
    ),
    (
        "Outlook with a line",
        "Yes, at ten.\n\n________________________________\nFrom: Bot <bot@example.org>\nSent: Tuesday\nTo: Ada\nSubject: Re: Trip\n\nWhen?\n",
    ),
    (
        "Outlook, German",
        "Yes, at ten.\n\nVon: Bot <bot@example.org>\nGesendet: Dienstag, 17. November 2026 10:00\nAn: Ada\nBetreff: Re: Trip\n\nWhen?\n",
    ),
    (
        "Outlook on the web, bold",
        "Yes, at ten.\n\n*From:* Bot <bot@example.org>\n*Sent:* Tuesday\n*To:* Ada\n*Subject:* Re: Trip\n\nWhen?\n",
    ),
    ("Outlook, old", "Yes, at ten.\n\n-----Original Message-----\nFrom: Bot\nWhen?\n"),
    ("Outlook, old German", "Yes, at ten.\n\n-----Ursprüngliche Nachricht-----\nVon: Bot\nWhen?\n"),
    (
        "Outlook for iOS",
        "Yes, at ten.\n\nGet Outlook for iOS\n________________________________\nFrom: Bot <b@x>\nSent: T\nTo: A\n\nWhen?\n",
    ),
    (
        "Yahoo",
        "Yes, at ten.\n\nOn Tuesday, November 17, 2026 at 10:00:00 AM UTC, Bot <bot@example.org> wrote:\n\n When?\n",
    ),
    (
        "Yahoo on a phone",
        "Yes, at ten.\n\nSent from Yahoo Mail on Android\n\nOn Tue, Nov 17, 2026 at 10:00, Bot wrote:\nWhen?\n",
    ),
    (
        "Proton",
        "Yes, at ten.\n\nSent with Proton Mail secure email.\n\nOn Tuesday, November 17th, 2026 at 10:00, Bot <bot@example.org> wrote:\n\n> When?\n",
    ),
    ("Fastmail", "Yes, at ten.\n\nOn Tue, 17 Nov 2026, at 10:00 AM, Bot wrote:\n> When?\n"),
    ("mutt", "Yes, at ten.\n\nOn Tue, Nov 17, 2026 at 10:00:00AM +0000, Bot wrote:\n> When?\n\n-- \nAda\n"),
    (
        "a signature above the quotation",
        "Yes, at ten.\n\n-- \nAda Lovelace\nAnalyst\n\nOn 17/11/2026 10:00, Bot wrote:\n> When?\n",
    ),
    ("nothing but a quotation before", "> When?\nYes, at ten.\n"),
    ("a quotation without an author", "Yes, at ten.\n\n> When?\n> Bot\n"),
    ("no quotation", "Yes, at ten.\n"),
    ("Windows line ends", "Yes, at ten.\r\n\r\nOn 17/11/2026 10:00, Bot wrote:\r\n> When?\r\n"),
];

#[test]
fn what_clients_repeat_is_left_out() {
    for (client, answer) in ANSWERS {
        assert_eq!(newest(answer), "Yes, at ten.", "{client}");
    }
}

#[test]
fn what_a_person_wrote_is_kept() {
    let kept = [
        "a > b and c < d\n> no",
        "The list:\n- one\n- two",
        "Please do this:\n\n1. look at 2026\n2. write",
        "From: the beginning\nit was clear",
        "On Monday I wrote:\nnothing",
        "---\nrule\n---",
        "He said on 17.11.:\nall is well",
        "a\n\n--\nb\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13",
        "sent from my point of view it is a very long sentence that has nothing to do with any telephone whatsoever, is it",
    ];
    for text in kept {
        let wanted = if text.ends_with("> no") { "a > b and c < d" } else { text };
        assert_eq!(newest(text), wanted, "{text}");
    }
}

#[test]
fn an_answer_between_the_lines_keeps_the_lines() {
    let text = "On 17/11/2026 10:00, Bot wrote:\n> When?\n\nAt ten.\n\n> Where?\n\nHere.";
    assert_eq!(newest(text), text);
    let ended = "On 17/11/2026 10:00, Bot wrote:\n> When?\nAt ten.\n> Where?\nHere.\n> Bot\n";
    assert_eq!(newest(ended), "On 17/11/2026 10:00, Bot wrote:\n> When?\nAt ten.\n> Where?\nHere.");
}

#[test]
fn where_nothing_is_new_nothing_is_left() {
    for text in ["> When?", "On 17/11/2026 10:00, Bot wrote:\n> When?", "-- \nAda", "", "\n\n"] {
        assert_eq!(newest(text), "", "{text}");
    }
}

#[test]
fn a_first_message_loses_its_signature_only() {
    assert_eq!(
        without_signature("Hi,\n\n> a quotation I want to show\n\n-- \nAda"),
        "Hi,\n\n> a quotation I want to show"
    );
    assert_eq!(without_signature("Hi\nSent from my iPhone"), "Hi");
}

#[test]
fn a_forwarded_message_is_known_by_its_subject() {
    for subject in ["Fwd: a", "FW: a", "WG: a", " Tr: a", "转发：a"] {
        assert!(is_forwarded(subject), "{subject}");
    }
    for subject in ["Re: Fwd: a", "forward", "", "a: b"] {
        assert!(!is_forwarded(subject), "{subject}");
    }
}

proptest! {
    /// Whatever stands there, nothing is invented.
    #[test]
    fn only_lines_of_the_text_remain(text in "([>:_ -]|wrote:|On 1|From: a@b|To: c|é|\n|--|Sent from my ){0,60}") {
        let newest = newest(&text);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        prop_assert!(newest.lines().all(|line| lines.contains(&line)), "{newest:?}");
    }
}
