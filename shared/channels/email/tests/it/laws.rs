//! The laws of channels, and what the samples say.

use chela_testkit::laws::channel::ChannelUnderTest;

use crate::subject::subject;

async fn email() -> ChannelUnderTest {
    subject()
}

chela_testkit::channel_laws!(email);

#[test]
fn samples_say_what_people_meant() {
    let told = [
        "attachment: b7674d6b9106f456f8e1b4b93797005f direct:ada@example.com #a079de00bfb0ae67 from ada@example.com (Ada Lovelace) to us \"The résumé\\n\\nPlease read the attached file.\" +stored:11fa1fb14547f1732a1a247b62d472cdca42b59979f08de070becf8fd4f69622[text/csv résumé.csv 16] @1767225000000 -> ada@example.com/d47e025929c815f2/{\"subject\":\"The résumé\",\"references\":[\"a4@example.com\"]}",
        "bounce: nothing",
        "command: 58f58abeed596cdbc0105eecb4993dfa direct:ada@example.com #5f2ff3ffdb6b6861 from ada@example.com (Ada Lovelace) to us \"/status\" @1767225000000 -> ada@example.com/d45430bc69f63e17/{\"subject\":\"anything\",\"references\":[\"a8@example.com\"]}",
        "copied: b5db4a863c3ab4b1be3f73984ce68951 direct:ada@example.com #e1832254e99e3f97 from ada@example.com (Ada Lovelace) to us \"dinner\\n\\nGrace, Alan: eight o'clock?\\nBot: a table for three, please.\" @1767225000000 -> ada@example.com/a5af0d76ef3704d3/{\"subject\":\"dinner\",\"references\":[\"a6@example.com\"]}",
        "forwarded: 8376a8dc7a5ce65ab84e21b1dd9fee67 direct:ada@example.com #186e06e90b54fb01 from ada@example.com (Ada Lovelace) to us \"Fwd: Invoice\\n\\nWhat do I owe?\\n\\n---------- Forwarded message ---------\\nFrom: Shop <shop@shop.example>\\nDate: Tue, 30 Dec 2025\\nSubject: Invoice\\nTo: <ada@example.com>\\n\\n> 12 EUR\" @1767225000000 -> ada@example.com/98fda9ec73a7743b/{\"subject\":\"Fwd: Invoice\",\"references\":[\"inv@shop.example\",\"a7@example.com\"]}",
        "japanese: b1ea85413e90427337ca28ca3596c9b2 direct:ada@example.com #35240e9c0b398972 from ada@example.com (Ada Lovelace) to us \"日本\\n\\nこんにちは\" @1767225000000 -> ada@example.com/6d21c827fcf5c2a6/{\"subject\":\"日本\",\"references\":[\"a9@example.com\"]}",
        "newsletter: nothing",
        "own-echo: nothing",
        "reply-gmail: ac815f022cce61da742ff0c1da8c44ec direct:ada@example.com #6a35dc84352ec493 from ada@example.com (Ada Lovelace) to us \"And tomorrow?\" @1767225000000 -> ada@example.com/ef587ab8ad4b3515/{\"subject\":\"Re: hello\",\"references\":[\"a1@example.com\",\"s1@email.amazonses.com\",\"a2@example.com\"]}",
        "reply-outlook-html: fa37d26a6ca631aa57b258d719de00e2 direct:ada@example.com #6a35dc84352ec493 from ada@example.com (Ada Lovelace) to us \"Thank you & good night\" @1767225000000 -> ada@example.com/ef587ab8ad4b3515/{\"subject\":\"RE: hello\",\"references\":[\"a1@example.com\",\"s1@email.amazonses.com\",\"a3@example.com\"]}",
        "spoofed: nothing",
        "tagged: 00370345dc9158dcf9d655eb45ba1174 direct:ada@example.com #8dd4ead310268e34 from ada@example.com (Ada Lovelace) to us \"On the phone again.\" @1767225000000 -> ada@example.com/0123456789abcdef/{\"subject\":\"Re: trip\",\"references\":[\"s9@email.amazonses.com\",\"a5@example.com\"]}",
        "text: e1ade56c09c0049a681fa7f95d1764aa direct:ada@example.com #6a35dc84352ec493 from ada@example.com (Ada Lovelace) to us \"hello\\n\\nWhat is the weather?\" @1767225000000 -> ada@example.com/ef587ab8ad4b3515/{\"subject\":\"hello\",\"references\":[\"a1@example.com\"]}",
        "two-authors: nothing",
        "unproven: nothing",
        "vacation: nothing",
        "without-id: c9822a552cd867069cf49c17cf578e32 direct:ada@example.com from ada@example.com to us \"no subject, no id\" @1767225300000 -> ada@example.com/-/{}",
    ];
    assert_eq!(subject().told(), told.join("\n"));
}
