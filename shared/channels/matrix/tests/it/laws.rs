//! The laws of channels, and what the samples say.

use chela_testkit::laws::channel::ChannelUnderTest;

use crate::subject::subject;

async fn matrix() -> ChannelUnderTest {
    subject()
}

chela_testkit::channel_laws!(matrix);

#[test]
fn samples_say_what_people_meant() {
    let told = [
        "dm-thread: $ev03 direct:@alice:hs.local #$ev01 from @alice:hs.local to us \"in thread\" @1767225590030 -> !dm:hs.local/$ev01/$ev03",
        "edited: $ev02 edited direct:@alice:hs.local from @alice:hs.local to us \"hello you\" @1767225590020 -> !dm:hs.local/-/-",
        "emote: $ev06 direct:@alice:hs.local from @alice:hs.local to us \"waves\" @1767225590060 -> !dm:hs.local/-/-",
        "encrypted: nothing",
        "file: $ev04 direct:@alice:hs.local from @alice:hs.local to us \"\" +mxc://hs.local/KIoyAbCd[text/plain a.txt 5] @1767225590040 -> !dm:hs.local/-/-",
        "group-mention-by-text: $ev10 group:!_CjVwXq6IvIVw0OqK7jHfrdrsmhVXBjfu7BA_8C66s4 from @bob:example.org to us \"are you there?\" @1767225590100 -> !_CjVwXq6IvIVw0OqK7jHfrdrsmhVXBjfu7BA_8C66s4/-/$ev10 @bob:example.org",
        "group-mention: $ev09 group:!_CjVwXq6IvIVw0OqK7jHfrdrsmhVXBjfu7BA_8C66s4 from @alice:hs.local to us \"status?\" @1767225590090 -> !_CjVwXq6IvIVw0OqK7jHfrdrsmhVXBjfu7BA_8C66s4/-/$ev09 @alice:hs.local",
        "group-reply-with-quote: $ev12 group:!_CjVwXq6IvIVw0OqK7jHfrdrsmhVXBjfu7BA_8C66s4 from @bob:example.org to us \"how late?\" @1767225590120 -> !_CjVwXq6IvIVw0OqK7jHfrdrsmhVXBjfu7BA_8C66s4/-/$ev12 @bob:example.org",
        "group-reply: $ev11 group:!_CjVwXq6IvIVw0OqK7jHfrdrsmhVXBjfu7BA_8C66s4 from @alice:hs.local to us \"and tomorrow?\" @1767225590110 -> !_CjVwXq6IvIVw0OqK7jHfrdrsmhVXBjfu7BA_8C66s4/-/$ev11 @alice:hs.local",
        "group-text: $ev08 group:!_CjVwXq6IvIVw0OqK7jHfrdrsmhVXBjfu7BA_8C66s4 from @alice:hs.local \"not for the bot\" @1767225590080 -> !_CjVwXq6IvIVw0OqK7jHfrdrsmhVXBjfu7BA_8C66s4/-/$ev08 @alice:hs.local",
        "group-thread: $ev13 group:!_CjVwXq6IvIVw0OqK7jHfrdrsmhVXBjfu7BA_8C66s4 #$root from @alice:hs.local to us \"in a thread\" @1767225590130 -> !_CjVwXq6IvIVw0OqK7jHfrdrsmhVXBjfu7BA_8C66s4/$root/$ev13 @alice:hs.local",
        "history: nothing",
        "image-caption: $ev05 direct:@alice:hs.local from @alice:hs.local to us \"look at **this**\" +mxc://example.org/cAt_-1[image/png cat.png 33] @1767225590050 -> !dm:hs.local/-/-",
        "invite: nothing",
        "notice: nothing",
        "own-echo: nothing",
        "own-ghost: nothing",
        "reaction: nothing",
        "redacted: nothing",
        "redaction: nothing",
        "several: $ev14 group:!_CjVwXq6IvIVw0OqK7jHfrdrsmhVXBjfu7BA_8C66s4 from @alice:hs.local to us \"one\" @1767225590140 -> !_CjVwXq6IvIVw0OqK7jHfrdrsmhVXBjfu7BA_8C66s4/-/$ev14 @alice:hs.local",
        "several: $ev17 direct:@alice:hs.local from @alice:hs.local to us \"two\" @1767225590170 -> !dm:hs.local/-/-",
        "state-message: nothing",
        "sticker: $ev07 direct:@alice:hs.local from @alice:hs.local to us \"\" +mxc://example.org/stIcKer[image/webp party 2048] @1767225590070 -> !dm:hs.local/-/-",
        "text: $ev01 direct:@alice:hs.local from @alice:hs.local to us \"hello dm\" @1767225590010 -> !dm:hs.local/-/-",
        "typing: nothing",
        "verification: nothing",
    ];
    assert_eq!(subject().told(), told.join("\n"));
}
