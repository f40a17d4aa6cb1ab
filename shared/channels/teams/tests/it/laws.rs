//! The laws of channels, and what the samples say.

use chela_testkit::laws::channel::ChannelUnderTest;

use crate::subject::subject;

async fn teams() -> ChannelUnderTest {
    subject()
}

chela_testkit::channel_laws!(teams);

#[test]
fn samples_say_what_people_meant() {
    let told = [
        "button: a:1qhNLqpUtmuI6U35gzjsJn7uRnCkW8NiZALHfN8AMxdbprS1uta2aT:f:975c4a55-21d1-4cd0-a6a2-1ba3b0a6a8d2 button direct:8a2f7c1e-0000-4000-8000-0000000000a1 from 8a2f7c1e-0000-4000-8000-0000000000a1 (Ada Lovelace) to us \"approve:42\" @1767225507000 -> a:1qhNLqpUtmuI6U35gzjsJn7uRnCkW8NiZALHfN8AMxdbprS1uta2aT|https://smba.trafficmanager.net/emea/5f1e6a0c-0000-4000-8000-000000000001/-/-",
        "card-action: 19:d4413c5a8e6f4a47b5e8c0a0f6e7d8c9@thread.tacv2;messageid=1767225000001:f:3b7e4cf4-0a0e-44a7-b1d4-5a0df2a0e1c3 button channel:19:d4413c5a8e6f4a47b5e8c0a0f6e7d8c9@thread.tacv2 #1767225000001 team:19:8j7h6g5f4d3s2a1q@thread.tacv2 from 8a2f7c1e-0000-4000-8000-0000000000b2 (Grace Hopper) to us \"deny:42\" @1767225508000 -> 19:d4413c5a8e6f4a47b5e8c0a0f6e7d8c9@thread.tacv2|https://smba.trafficmanager.net/emea/5f1e6a0c-0000-4000-8000-000000000001/1767225000001/-",
        "channel-mention: 19:d4413c5a8e6f4a47b5e8c0a0f6e7d8c9@thread.tacv2;messageid=1767225000001:1767225500004 channel:19:d4413c5a8e6f4a47b5e8c0a0f6e7d8c9@thread.tacv2 #1767225000001 team:19:8j7h6g5f4d3s2a1q@thread.tacv2 from 8a2f7c1e-0000-4000-8000-0000000000a1 (Ada Lovelace) to us \"summarise this thread\" @1767225503250 -> 19:d4413c5a8e6f4a47b5e8c0a0f6e7d8c9@thread.tacv2|https://smba.trafficmanager.net/emea/5f1e6a0c-0000-4000-8000-000000000001/1767225000001/-",
        "channel-reply: 19:d4413c5a8e6f4a47b5e8c0a0f6e7d8c9@thread.tacv2;messageid=1767225000001:1767225500005 channel:19:d4413c5a8e6f4a47b5e8c0a0f6e7d8c9@thread.tacv2 #1767225000001 team:19:8j7h6g5f4d3s2a1q@thread.tacv2 from 8a2f7c1e-0000-4000-8000-0000000000b2 (Grace Hopper) \"thanks, everybody\" @1767225504000 -> 19:d4413c5a8e6f4a47b5e8c0a0f6e7d8c9@thread.tacv2|https://smba.trafficmanager.net/emea/5f1e6a0c-0000-4000-8000-000000000001/1767225000001/-",
        "deleted: nothing",
        "edited: a:1qhNLqpUtmuI6U35gzjsJn7uRnCkW8NiZALHfN8AMxdbprS1uta2aT:1767225500001:edit:2025-12-31T23:58:50.117Z edited direct:8a2f7c1e-0000-4000-8000-0000000000a1 from 8a2f7c1e-0000-4000-8000-0000000000a1 (Ada Lovelace) to us \"hello again\" @1767225530117 -> a:1qhNLqpUtmuI6U35gzjsJn7uRnCkW8NiZALHfN8AMxdbprS1uta2aT|https://smba.trafficmanager.net/emea/5f1e6a0c-0000-4000-8000-000000000001/-/-",
        "file: a:1qhNLqpUtmuI6U35gzjsJn7uRnCkW8NiZALHfN8AMxdbprS1uta2aT:1767225500007 direct:8a2f7c1e-0000-4000-8000-0000000000a1 from 8a2f7c1e-0000-4000-8000-0000000000a1 (Ada Lovelace) to us \"\" +https://contoso-my.sharepoint.com/personal/ada_contoso_com/_layouts/15/download.aspx?UniqueId=1150&tempauth=v1.ey[a.pdf] @1767225506000 -> a:1qhNLqpUtmuI6U35gzjsJn7uRnCkW8NiZALHfN8AMxdbprS1uta2aT|https://smba.trafficmanager.net/emea/5f1e6a0c-0000-4000-8000-000000000001/-/-",
        "group-mention: 19:2a1b3c4d5e6f47a8b9c0d1e2f3a4b5c6@thread.v2:1767225500002 group:19:2a1b3c4d5e6f47a8b9c0d1e2f3a4b5c6@thread.v2 from 8a2f7c1e-0000-4000-8000-0000000000b2 (Grace Hopper) to us \"what does @Ada Lovelace say?\" @1767225501500 -> 19:2a1b3c4d5e6f47a8b9c0d1e2f3a4b5c6@thread.v2|https://smba.trafficmanager.net/emea/5f1e6a0c-0000-4000-8000-000000000001/-/-",
        "group-text: 19:2a1b3c4d5e6f47a8b9c0d1e2f3a4b5c6@thread.v2:1767225500003 group:19:2a1b3c4d5e6f47a8b9c0d1e2f3a4b5c6@thread.v2 from 8a2f7c1e-0000-4000-8000-0000000000b2 (Grace Hopper) \"not for the bot\" @1767225502500 -> 19:2a1b3c4d5e6f47a8b9c0d1e2f3a4b5c6@thread.v2|https://smba.trafficmanager.net/emea/5f1e6a0c-0000-4000-8000-000000000001/-/-",
        "image: a:1qhNLqpUtmuI6U35gzjsJn7uRnCkW8NiZALHfN8AMxdbprS1uta2aT:1767225500006 direct:8a2f7c1e-0000-4000-8000-0000000000a1 from 8a2f7c1e-0000-4000-8000-0000000000a1 (Ada Lovelace) to us \"look\" +https://smba.trafficmanager.net/emea/5f1e6a0c-0000-4000-8000-000000000001/v3/attachments/0-weu-d1-a1b2c3/views/original[image/png image.png] @1767225505000 -> a:1qhNLqpUtmuI6U35gzjsJn7uRnCkW8NiZALHfN8AMxdbprS1uta2aT|https://smba.trafficmanager.net/emea/5f1e6a0c-0000-4000-8000-000000000001/-/-",
        "installed: nothing",
        "other-bot: nothing",
        "own-echo: nothing",
        "reaction: nothing",
        "text: a:1qhNLqpUtmuI6U35gzjsJn7uRnCkW8NiZALHfN8AMxdbprS1uta2aT:1767225500001 direct:8a2f7c1e-0000-4000-8000-0000000000a1 from 8a2f7c1e-0000-4000-8000-0000000000a1 (Ada Lovelace) to us \"hello\" @1767225500017 -> a:1qhNLqpUtmuI6U35gzjsJn7uRnCkW8NiZALHfN8AMxdbprS1uta2aT|https://smba.trafficmanager.net/emea/5f1e6a0c-0000-4000-8000-000000000001/-/-",
        "typing: nothing",
        "undeleted: nothing",
    ];
    assert_eq!(subject().told(), told.join("\n"));
}
