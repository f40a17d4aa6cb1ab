//! The laws of channels, and what the samples say.

use chela_testkit::laws::channel::ChannelUnderTest;

use crate::subject::subject;

async fn github() -> ChannelUnderTest {
    subject()
}

chela_testkit::channel_laws!(github);

#[test]
fn samples_say_what_people_meant() {
    let told = [
        "attachment: comment:106 group:1296269#7 in group:1296269 from 583231 (ada-l) to us \"see ![shot](https://github.com/user-attachments/assets/5f2c9f5e-7f9c-4d2b-8a55-0d6a3b1c2d3e) and [log.txt](https://github.com/user-attachments/files/18290000/log.txt)\" +https://github.com/user-attachments/assets/5f2c9f5e-7f9c-4d2b-8a55-0d6a3b1c2d3e[] +https://github.com/user-attachments/files/18290000/log.txt[log.txt] @1767225570000 -> octo-org/hello-world#7/-/comment:106",
        "command: comment:102 group:1296269#7 in group:1296269 from 583231 (ada-l) to us \"/new\" @1767225570000 -> octo-org/hello-world#7/-/comment:102",
        "comment: comment:103 group:1296269#7 in group:1296269 from 583231 (ada-l) \"I see it too, ask `@chela-bot`\" @1767225570000 -> octo-org/hello-world#7/-/comment:103",
        "deleted: nothing",
        "edited-by-another: nothing",
        "edited: comment:101:edited:2025-12-31T23:59:50Z edited group:1296269#7 in group:1296269 from 583231 (ada-l) to us \"why does it crash on Windows?\" @1767225590000 -> octo-org/hello-world#7/-/comment:101",
        "issue-closed: nothing",
        "issue-opened: issue:1008 group:1296269#8 in group:1296269 from 77 (grace) to us \"# It crashes at start\\n\\ncan you look?\\n\\n- Windows\\n- Linux\" @1767222000000 -> octo-org/hello-world#8/-/issue",
        "other-bot: nothing",
        "own-echo: nothing",
        "ping: nothing",
        "pull-comment: comment:105 group:1296269#12 in group:1296269 from 583231 (ada-l) to us \"summarise\" @1767225570000 -> octo-org/hello-world#12/-/comment:105",
        "pull-opened: pull:2012 group:1296269#12 in group:1296269 from 583231 (ada-l) to us \"# Mend the start\\n\\nMends #7.\\n\\nplease review\" @1767225000000 -> octo-org/hello-world#12/-/issue",
        "quote: comment:104 group:1296269#7 in group:1296269 from 583231 (ada-l) \"> @chela-bot why does it crash?\\n\\nYes, why?\" @1767225570000 -> octo-org/hello-world#7/-/comment:104",
        "review-approved: nothing",
        "review-comment: review-comment:301 group:1296269#12 #301 in group:1296269 from 583231 (ada-l) to us \"is this right?\\n\\n[src/main.rs, line 3]\\n```diff\\n@@ -1,2 +1,3 @@\\n fn main() {\\n+    start();\\n }\\n```\" @1767225580000 -> octo-org/hello-world#12/301/review-comment:301",
        "review-reply: review-comment:302 group:1296269#12 #301 in group:1296269 from 583231 (ada-l) to us \"and what of errors, ?\\n\\n[src/main.rs, line 3]\\n```diff\\n@@ -1,2 +1,3 @@\\n fn main() {\\n+    start();\\n }\\n```\" @1767225580000 -> octo-org/hello-world#12/301/review-comment:302",
        "review: review:401 group:1296269#12 in group:1296269 from 583231 (ada-l) to us \"please mend what I wrote below\" @1767225585000 -> octo-org/hello-world#12/-/-",
        "star: nothing",
        "stranger: nothing",
        "text: comment:101 group:1296269#7 in group:1296269 from 583231 (ada-l) to us \"why does it crash?\" @1767225570000 -> octo-org/hello-world#7/-/comment:101",
        "title-edited: nothing",
    ];
    assert_eq!(subject().told(), told.join("\n"));
}
