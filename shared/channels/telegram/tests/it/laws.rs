//! The laws of channels, and what the samples say.

use chela_testkit::laws::channel::ChannelUnderTest;

use crate::subject::subject;

async fn telegram() -> ChannelUnderTest {
    subject()
}

chela_testkit::channel_laws!(telegram);

#[test]
fn samples_say_what_people_meant() {
    let told = [
        "animation: 1015 direct:7527593 from 7527593 (Ada) to us \"\" +CgACanim[video/mp4 a.mp4 5000] @1767224902000 -> 7527593/-/-",
        "anonymous-admin: 1009 group:-1001234567890 from -1001234567890 (Ops) to us \"who am I?\" @1767224896000 -> -1001234567890/-/14",
        "automatic-forward: nothing",
        "button: 1011 button direct:7527593 from 7527593 (Ada Lovelace) to us \"approve:42\" @1767225600000 -> 7527593/-/140",
        "channel-post: 1010 channel:-1002222222222 from -1002222222222 (News) \"Hello, readers\" @1767224897000 -> -1002222222222/-/20",
        "command: 1003 command direct:7527593 from 7527593 (Ada) to us \"/status now\" @1767224890000 -> 7527593/-/-",
        "document: 1014 direct:7527593 from 7527593 (Ada) to us \"\" +BQACdoc[application/pdf a.pdf 1200] @1767224901000 -> 7527593/-/-",
        "edited: 1002 edited direct:7527593 from 7527593 (Ada Lovelace) to us \"hello again\" @1767224999000 -> 7527593/-/-",
        "group-button: 1021 button group:-1001234567890 from 7 (Grace) to us \"deny:42\" @1767225600000 -> -1001234567890/-/21",
        "group-command: 1007 command group:-4201 from 7 (Grace) to us \"/new\" @1767224894000 -> -4201/-/12",
        "group-mention: 1004 group:-1001234567890 from 7 (Grace) to us \"👋 what is the status?\" @1767224891000 -> -1001234567890/-/9",
        "group-reply: 1006 group:-1001234567890 from 7 (Grace) to us \"and tomorrow?\" @1767224893000 -> -1001234567890/-/11",
        "group-text: 1005 group:-1001234567890 from 7 (Grace) \"not for the bot\" @1767224892000 -> -1001234567890/-/10",
        "group-thread: 1020 group:-1001234567890 from 7 (Grace) \"thanks, other bot\" @1767224907000 -> -1001234567890/-/18",
        "migrated: nothing",
        "other-bot: nothing",
        "photo: 1012 direct:7527593 from 7527593 (Ada) to us \"look\" +AgAClarge[173215] @1767224899000 -> 7527593/-/-",
        "reaction: nothing",
        "text: 1001 direct:7527593 from 7527593 (Ada Lovelace) to us \"hello\" @1767224888000 -> 7527593/-/-",
        "topic: 1008 group:-1001234567890 #5 from 7 (Grace) to us \"in a topic\" @1767224895000 -> -1001234567890/5/13",
        "voice: 1013 direct:7527593 from 7527593 (Ada) to us \"\" +AwACvoice[audio/ogg 9000] @1767224900000 -> 7527593/-/-",
    ];
    assert_eq!(subject().told(), told.join("\n"));
}
