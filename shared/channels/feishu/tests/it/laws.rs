//! The laws of channels, and what the samples say.

use chela_testkit::laws::channel::ChannelUnderTest;

use crate::subject::subject;

async fn feishu() -> ChannelUnderTest {
    subject()
}

chela_testkit::channel_laws!(feishu);

#[test]
fn samples_say_what_people_meant() {
    let told = [
        "audio: 5e3702a84e847582be8db7fb7328300b direct:ou_84aad35d084aa403a838cf73ee184670 from ou_84aad35d084aa403a838cf73ee184670 to us \"\" +om_5ce6d572455d361153b7cb51da13390b/file/file_v2_audio[audio/ogg] @1767225598345 -> ou_84aad35d084aa403a838cf73ee184670/-/-",
        "button: f7984f25108f8137722bb63cee927e66 button direct:ou_84aad35d084aa403a838cf73ee184670 from ou_84aad35d084aa403a838cf73ee184670 to us \"approve:42\" @1767225600000 -> ou_84aad35d084aa403a838cf73ee184670/-/-",
        "challenge: nothing",
        "encrypted: 5e3702a84e847582be8db7fb732830ee direct:ou_84aad35d084aa403a838cf73ee184670 from ou_84aad35d084aa403a838cf73ee184670 to us \"Sealed: grüße 😀\" @1767225598345 -> ou_84aad35d084aa403a838cf73ee184670/-/-",
        "file: 5e3702a84e847582be8db7fb7328300a direct:ou_84aad35d084aa403a838cf73ee184670 from ou_84aad35d084aa403a838cf73ee184670 to us \"\" +om_5ce6d572455d361153b7cb51da13390a/file/file_v2_75235e0c-4f92-430a-a99b-8446610223cg[report.pdf] @1767225598345 -> ou_84aad35d084aa403a838cf73ee184670/-/-",
        "group-button: f7984f25108f8137722bb63cee927e67 button group:oc_a0553eda9014c201e6969b478895c230 from ou_84aad35d084aa403a838cf73ee184670 to us \"deny:42\" @1767225600000 -> oc_a0553eda9014c201e6969b478895c230/-/om_574d639e4a44e4dd646eaf628e2a1b02",
        "group-mention: 5e3702a84e847582be8db7fb73283003 group:oc_a0553eda9014c201e6969b478895c230 from ou_84aad35d084aa403a838cf73ee184670 to us \"ask @Eve for the status\" @1767225598345 -> oc_a0553eda9014c201e6969b478895c230/-/om_5ce6d572455d361153b7cb51da133903",
        "group-post-mention: 5e3702a84e847582be8db7fb7328300f group:oc_a0553eda9014c201e6969b478895c230 from ou_84aad35d084aa403a838cf73ee184670 to us \"summarise, please\" @1767225598345 -> oc_a0553eda9014c201e6969b478895c230/-/om_5ce6d572455d361153b7cb51da13390f",
        "group-reply: 5e3702a84e847582be8db7fb73283005 group:oc_a0553eda9014c201e6969b478895c230 from ou_84aad35d084aa403a838cf73ee184670 to us \"sure?\" @1767225598345 -> oc_a0553eda9014c201e6969b478895c230/-/om_5ce6d572455d361153b7cb51da133905",
        "group-text: 5e3702a84e847582be8db7fb73283004 group:oc_a0553eda9014c201e6969b478895c230 from ou_7d8a6e6df7621556ce0d21922b676706 \"not for the bot, @all\" @1767225598345 -> oc_a0553eda9014c201e6969b478895c230/-/om_5ce6d572455d361153b7cb51da133904",
        "image: 5e3702a84e847582be8db7fb73283009 direct:ou_84aad35d084aa403a838cf73ee184670 from ou_84aad35d084aa403a838cf73ee184670 to us \"\" +om_5ce6d572455d361153b7cb51da133909/image/img_v2_041b28e3-5680-48c2-9af2-497ace79333g[] @1767225598345 -> ou_84aad35d084aa403a838cf73ee184670/-/-",
        "old-schema: nothing",
        "own-echo: nothing",
        "post: 5e3702a84e847582be8db7fb73283008 direct:ou_84aad35d084aa403a838cf73ee184670 from ou_84aad35d084aa403a838cf73ee184670 to us \"Plan\\nsee [this](https://example.org/)\\n\\n```RUST\\nfn main() {}\\n```\" +om_5ce6d572455d361153b7cb51da133908/image/img_v3_02a[] @1767225598345 -> ou_84aad35d084aa403a838cf73ee184670/-/-",
        "reaction: nothing",
        "read: nothing",
        "reply: 5e3702a84e847582be8db7fb73283002 direct:ou_84aad35d084aa403a838cf73ee184670 from ou_84aad35d084aa403a838cf73ee184670 to us \"and tomorrow?\" @1767225598345 -> ou_84aad35d084aa403a838cf73ee184670/-/-",
        "sticker: nothing",
        "text: 5e3702a84e847582be8db7fb73283001 direct:ou_84aad35d084aa403a838cf73ee184670 from ou_84aad35d084aa403a838cf73ee184670 to us \"Hello, agent\" @1767225598345 -> ou_84aad35d084aa403a838cf73ee184670/-/-",
        "thread-button: f7984f25108f8137722bb63cee927e68 button group:oc_a0553eda9014c201e6969b478895c230 #om_5ce6d572455d361153b7cb51da133903 from ou_84aad35d084aa403a838cf73ee184670 to us \"deny:43\" @1767225600000 -> oc_a0553eda9014c201e6969b478895c230/om_5ce6d572455d361153b7cb51da133903/om_574d639e4a44e4dd646eaf628e2a1b03",
        "thread: 5e3702a84e847582be8db7fb73283006 group:oc_a0553eda9014c201e6969b478895c230 #om_5ce6d572455d361153b7cb51da133903 from ou_84aad35d084aa403a838cf73ee184670 to us \"in a thread\" @1767225598345 -> oc_a0553eda9014c201e6969b478895c230/om_5ce6d572455d361153b7cb51da133903/om_5ce6d572455d361153b7cb51da133906",
        "topic: 5e3702a84e847582be8db7fb73283007 group:oc_70b1c0000000000000000000000000aa #om_5ce6d572455d361153b7cb51da133907 from ou_84aad35d084aa403a838cf73ee184670 to us \"a new topic\" @1767225598345 -> oc_70b1c0000000000000000000000000aa/om_5ce6d572455d361153b7cb51da133907/om_5ce6d572455d361153b7cb51da133907",
        "video: 5e3702a84e847582be8db7fb7328300c direct:ou_84aad35d084aa403a838cf73ee184670 from ou_84aad35d084aa403a838cf73ee184670 to us \"\" +om_5ce6d572455d361153b7cb51da13390c/file/file_v2_video[video/mp4 clip.mp4] @1767225598345 -> ou_84aad35d084aa403a838cf73ee184670/-/-",
    ];
    assert_eq!(subject().told(), told.join("\n"));
}
