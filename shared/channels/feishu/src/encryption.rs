//! Bodies under an Encrypt Key: AES-256-CBC with the key SHA-256(Encrypt Key), the first block being the IV.
//! <https://open.feishu.cn/document/server-docs/event-subscription-guide/event-subscription-configure-/encrypt-key-encryption-configuration-case>

use std::borrow::Cow;

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chela_channel_kit::ProofKeys;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// The IV and each block.
const BLOCK: usize = 16;

#[derive(Deserialize)]
struct Sealed {
    encrypt: Option<String>,
}

/// The body in the clear: as it is, or decrypted by the first key that opens it to UTF-8. `None` if it is no JSON object
/// or no key opens it.
pub(crate) fn opened<'b>(body: &'b [u8], keys: Option<&ProofKeys>) -> Option<Cow<'b, [u8]>> {
    let Sealed { encrypt } = serde_json::from_slice(body).ok()?;
    let Some(sealed) = encrypt else { return Some(Cow::Borrowed(body)) };
    let sealed = STANDARD.decode(sealed).ok()?;
    let clear = keys?.all().filter_map(|key| decrypt(key, &sealed)).find(|clear| std::str::from_utf8(clear).is_ok())?;
    Some(Cow::Owned(clear))
}

fn decrypt(key: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (iv, blocks) = sealed.split_at_checked(BLOCK)?;
    let cipher = cbc::Decryptor::<Aes256>::new_from_slices(&Sha256::digest(key), iv).ok()?;
    let mut clear = blocks.to_vec();
    let length = cipher.decrypt_padded::<Pkcs7>(&mut clear).ok()?.len();
    clear.truncate(length);
    Some(clear)
}

#[cfg(test)]
mod tests {
    use chela_core::secret::Secret;
    use proptest::prelude::*;

    use super::*;

    /// The example of Feishu's documentation.
    const EXAMPLE: &str = r#"{"encrypt":"P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk="}"#;

    fn keys(words: &str) -> ProofKeys {
        ProofKeys::words(&Secret::new(words)).unwrap()
    }

    /// In the documentation the key has a space, which a rotation could not tell from two keys; so its parts are tried
    /// below the reader of configuration.
    #[test]
    fn the_published_example_opens() {
        let sealed = STANDARD.decode("P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=").unwrap();
        assert_eq!(decrypt(b"test key", &sealed).unwrap(), b"hello world");
        assert_eq!(opened(EXAMPLE.as_bytes(), Some(&keys("other"))), None);
        assert_eq!(opened(EXAMPLE.as_bytes(), None), None);
    }

    #[test]
    fn a_clear_body_stays_as_it_is() {
        assert_eq!(opened(b"{\"a\":1}", None).unwrap().as_ref(), b"{\"a\":1}");
        assert_eq!(opened(b"{\"encrypt\":null}", None).unwrap().as_ref(), b"{\"encrypt\":null}");
        assert_eq!(opened(b"[]", None), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_ciphertext_panics(sealed in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decrypt(b"k", &sealed);
            let body = format!("{{\"encrypt\":\"{}\"}}", STANDARD.encode(sealed));
            let _ = opened(body.as_bytes(), Some(&keys("k")));
        }
    }
}
