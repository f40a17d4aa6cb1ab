//! The laws of channels: all of them for messages, and for interactions those that are about proofs and answers.

use chela_testkit::laws::channel::ChannelUnderTest;

use crate::subject::subject;

async fn discord() -> ChannelUnderTest {
    subject()
}

chela_testkit::channel_laws!(discord);

mod of_interactions {
    use super::*;

    async fn interactions() -> ChannelUnderTest {
        crate::subject::interactions()
    }

    chela_testkit::law_tests!(
        channel,
        interactions,
        [
            a_request_without_proof_is_refused,
            a_proof_that_stands_twice_is_refused,
            a_changed_proof_is_refused,
            a_changed_body_is_refused,
            a_stale_or_future_time_is_refused,
            another_method_is_refused,
            a_proof_with_another_secret_is_refused,
            a_retry_is_the_same_event,
            damaged_bodies_never_panic,
            bottomless_bodies_exhaust_no_stack,
            a_reply_is_shown_and_confirmed,
            choices_are_shown_as_buttons,
            a_file_is_sent_with_its_caption,
            long_replies_arrive_whole_and_within_the_limit,
            each_refusal_has_its_fate,
            nobody_there_is_not_sent,
            no_answer_is_unknown,
            d01_errors_and_debug_show_no_secret,
        ]
    );
}

#[test]
fn samples_say_what_people_meant() {
    let told = [
        r#"ask-dm: 1456074435592192000 direct:80351110224678912 from 80351110224678912 (Ada Lovelace) to us "what is the status?" @1767225598000 -> 319674150115610528/1100000000000000001/1456074435592192000/@T/p/-/-"#,
        r#"ask-guest: 1456074406232064000 channel:645027906669510667 guild:290926798626357999 from 53908232506183680 (Grace) to us "here too?" @1767225591000 -> 645027906669510667/1100000000000000001/1456074406232064000/@T/pg/-/-"#,
        r#"ask-thread: 1456074427203584000 channel:1000000000000000042 in channel:645027906669510667 guild:290926798626357999 from 53908232506183680 (Grace) to us "and this?" +https://cdn.discordapp.com/ephemeral-attachments/1/1456074300000000000/a.png?ex=6956b5c0&is=69556440&hm=0f[image/png a.png 1705] @1767225596000 -> 1000000000000000042/1100000000000000001/1456074427203584000/@T/p/-/-"#,
        r#"ask: 1456074431397888000 channel:645027906669510667 guild:290926798626357999 from 53908232506183680 (Grace) to us "what is the status?" @1767225597000 -> 645027906669510667/1100000000000000001/1456074431397888000/@T/p/-/-"#,
        r#"button-dm: 1456074410426368000 button direct:80351110224678912 from 80351110224678912 (Ada Lovelace) to us "deny:42" @1767225592000 -> 319674150115610528/-/1456074355900416000"#,
        r#"button-guest: 1456074404134912000 button channel:645027906669510667 guild:290926798626357999 from 53908232506183680 (Grace) to us "approve:42" @1767225590500 -> 645027906669510667/1100000000000000001/1456074404134912000/@T/g/-/1456074351706112000"#,
        r#"button: 1456074414620672000 button channel:645027906669510667 guild:290926798626357999 from 53908232506183680 (Grace) to us "approve:42" @1767225593000 -> 645027906669510667/-/1456074360094720000"#,
        r#"command-plain: 1456074418814976000 command channel:645027906669510667 guild:290926798626357999 from 53908232506183680 (Grace) to us "/help" @1767225594000 -> 645027906669510667/1100000000000000001/1456074418814976000/@T/p/-/-"#,
        r#"command: 1456074423009280000 command direct:80351110224678912 from 80351110224678912 (Ada Lovelace) to us "/new about ships" @1767225595000 -> 319674150115610528/1100000000000000001/1456074423009280000/@T/p/-/-"#,
        r#"dm-file: bridge:1456074200711168000 direct:80351110224678912 from 80351110224678912 (Ada) to us "look" +https://cdn.discordapp.com/attachments/319674150115610528/1456074200000000000/a.png?ex=6956b5c0&is=69556440&hm=0f[image/png a.png 1705] @1767225542000 -> 319674150115610528/-/-"#,
        r#"edited: bridge:1456074192322560000:edit:1 edited direct:80351110224678912 from 80351110224678912 (Ada) to us "hello again" @1767225541000 -> 319674150115610528/-/-"#,
        r#"group-dm: bridge:1456074221682688000 group:319674150115710528 from 53908232506183680 (Grace) "three of us" @1767225547000 -> 319674150115710528/-/1456074221682688000"#,
        r#"guild-mention: bridge:1456074204905472000 channel:645027906669510667 guild:290926798626357999 from 53908232506183680 (Grace) to us "what is the status?" @1767225543000 -> 645027906669510667/-/1456074204905472000"#,
        r#"guild-reply: bridge:1456074213294080000 channel:645027906669510667 guild:290926798626357999 from 53908232506183680 (Grace) to us "and tomorrow?" @1767225545000 -> 645027906669510667/-/1456074213294080000"#,
        r#"guild-text: bridge:1456074209099776000 channel:645027906669510667 guild:290926798626357999 from 53908232506183680 (Grace) "not for the bot" @1767225544000 -> 645027906669510667/-/1456074209099776000"#,
        r#"message-command: 1456074402037760000 channel:645027906669510667 guild:290926798626357999 from 53908232506183680 (Grace) to us "[Forwarded from ada]\n> The mast is 20 m high." @1767225590000 -> 645027906669510667/1100000000000000001/1456074402037760000/@T/p/-/1456074150379520000"#,
        r#"modal: 1456074397843456000 channel:645027906669510667 guild:290926798626357999 from 53908232506183680 (Grace) to us "Ships\nTwo masts." @1767225589000 -> 645027906669510667/1100000000000000001/1456074397843456000/@T/p/-/-"#,
        r#"other-bot: nothing"#,
        r#"own-echo: nothing"#,
        r#"ping: nothing"#,
        r#"text: bridge:1456074192322560000 direct:80351110224678912 from 80351110224678912 (Ada) to us "hello" @1767225540000 -> 319674150115610528/-/-"#,
        r#"thread-mention: bridge:1456074217488384000 channel:1000000000000000042 in channel:645027906669510667 guild:290926798626357999 from 53908232506183680 (Grace) to us "in a thread" @1767225546000 -> 1000000000000000042/-/1456074217488384000"#,
        r#"unknown-interaction: nothing"#,
    ];
    let token = "aW50ZXJhY3Rpb246MTQ1NjA3NDQzOTc4NjQ5NjAwMDpwdWJsaWMtdGVzdA";
    assert_eq!(subject().told().replace(token, "@T"), told.join("\n"));
}
