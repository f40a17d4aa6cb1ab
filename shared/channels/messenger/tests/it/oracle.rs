//! pywa, an SDK of Meta's platform, as the judge of signatures in both directions.

use chela_testkit::laws::channel::oracle;

use crate::subject::subject;

/// Judges signatures.
const JUDGE: &str = include_str!("../../../../meta/tests/judge.py");

#[test]
fn the_sdk_and_we_agree_on_every_signature() {
    // Escapes stay as they are on the wire.
    let more: [&[u8]; 2] = [br#"{"text":"h\u00e9\u00e9 \ud83d\ude00"}"#, &[0, 255, 10]];
    oracle::signatures_agree(&subject(), JUDGE, "public-test-app-secret", &more);
}
