//! The laws of channels, and what the samples say.

use chela_testkit::laws::channel::ChannelUnderTest;

use crate::subject::subject;

async fn googlechat() -> ChannelUnderTest {
    subject()
}

chela_testkit::channel_laws!(googlechat);

#[test]
fn samples_say_what_people_meant() {
    let told = [
        "added-by-mention: spaces/AAQAmR00M01/messages/rM4.rM4 group:spaces/AAQAmR00M01 #spaces/AAQAmR00M01/threads/rM4 from users/117000000000000000001 (Ada Lovelace) to us \"welcome\" @1767225506270 -> spaces/AAQAmR00M01/spaces/AAQAmR00M01/threads/rM4/-",
        "added: nothing",
        "addon-button: click:spaces/AAQAmR00M01/messages/rM5.rM5:deny:42:users/117000000000000000002:2025-12-31T23:58:37.270735Z button group:spaces/AAQAmR00M01 #spaces/AAQAmR00M01/threads/rM1 from users/117000000000000000002 (Grace Hopper) to us \"deny:42\" @1767225517270 -> spaces/AAQAmR00M01/spaces/AAQAmR00M01/threads/rM1/-",
        "addon-command: spaces/4a3bcDAAAAE/messages/aB7.aB7 command direct:users/117000000000000000001 from users/117000000000000000001 (Ada Lovelace) to us \"/help\" @1767225518270 -> spaces/4a3bcDAAAAE/-/-",
        "addon-message: spaces/AAQAmR00M01/messages/rM7.rM7 group:spaces/AAQAmR00M01 #spaces/AAQAmR00M01/threads/rM7 from users/117000000000000000002 (Grace Hopper) to us \"from the add-on\" @1767225516270 -> spaces/AAQAmR00M01/spaces/AAQAmR00M01/threads/rM7/-",
        "addon-quick-command: command:7:users/117000000000000000001:2025-12-31T23:58:39.270735Z command direct:users/117000000000000000001 from users/117000000000000000001 (Ada Lovelace) to us \"/status\" @1767225519270 -> spaces/4a3bcDAAAAE/-/-",
        "addon-removed: nothing",
        "button: click:spaces/AAQAmR00M01/messages/rM5.rM5:approve:42:users/117000000000000000002:2025-12-31T23:58:32.270735Z button group:spaces/AAQAmR00M01 #spaces/AAQAmR00M01/threads/rM1 from users/117000000000000000002 (Grace Hopper) to us \"approve:42\" @1767225512270 -> spaces/AAQAmR00M01/spaces/AAQAmR00M01/threads/rM1/-",
        "dm-thread: spaces/4a3bcDAAAAE/messages/aB2.aB2 direct:users/117000000000000000001 from users/117000000000000000001 (Ada Lovelace) to us \"and now?\" @1767225501270 -> spaces/4a3bcDAAAAE/spaces/4a3bcDAAAAE/threads/aB1/-",
        "drive-file: spaces/4a3bcDAAAAE/messages/aB5.aB5 direct:users/117000000000000000001 from users/117000000000000000001 (Ada Lovelace) to us \"\" +drive:1dRiVe[application/vnd.google-apps.document plan] @1767225511270 -> spaces/4a3bcDAAAAE/-/-",
        "file: spaces/4a3bcDAAAAE/messages/aB4.aB4 direct:users/117000000000000000001 from users/117000000000000000001 (Ada Lovelace) to us \"look\" +ClxzcGFjZXMvNGEzYmNEQUFBQUUv[application/pdf a.pdf] @1767225510270 -> spaces/4a3bcDAAAAE/-/-",
        "group-mention: spaces/AAQAgR0UP02/messages/gM1.gM1 group:spaces/AAQAgR0UP02 from users/117000000000000000001 (Ada Lovelace) to us \"hi\" @1767225505270 -> spaces/AAQAgR0UP02/-/-",
        "other-app: nothing",
        "own-echo: nothing",
        "removed: nothing",
        "room-mention: spaces/AAQAmR00M01/messages/rM1.rM1 group:spaces/AAQAmR00M01 #spaces/AAQAmR00M01/threads/rM1 from users/117000000000000000002 (Grace Hopper) to us \"what does @Ada Lovelace say?\" @1767225502270 -> spaces/AAQAmR00M01/spaces/AAQAmR00M01/threads/rM1/-",
        "room-reply: spaces/AAQAmR00M01/messages/rM2.rM2 group:spaces/AAQAmR00M01 #spaces/AAQAmR00M01/threads/rM1 from users/117000000000000000002 (Grace Hopper) to us \"and why?\" @1767225503270 -> spaces/AAQAmR00M01/spaces/AAQAmR00M01/threads/rM1/-",
        "room-text: spaces/AAQAmR00M01/messages/rM3.rM3 group:spaces/AAQAmR00M01 #spaces/AAQAmR00M01/threads/rM1 from users/117000000000000000002 (Grace Hopper) \"not for the app\" @1767225504270 -> spaces/AAQAmR00M01/spaces/AAQAmR00M01/threads/rM1/-",
        "slash-command: spaces/4a3bcDAAAAE/messages/aB3.aB3 command direct:users/117000000000000000001 from users/117000000000000000001 (Ada Lovelace) to us \"/new please\" @1767225509270 -> spaces/4a3bcDAAAAE/-/-",
        "text: spaces/4a3bcDAAAAE/messages/aB1.aB1 direct:users/117000000000000000001 from users/117000000000000000001 (Ada Lovelace) to us \"hello\" @1767225500270 -> spaces/4a3bcDAAAAE/-/-",
        "widget: nothing",
    ];
    assert_eq!(subject().told(), told.join("\n"));
}
