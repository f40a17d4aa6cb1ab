//! The text of PDFs, whatever they are made of.

use std::time::{Duration, Instant};

use bytes::Bytes;
use chela_core::media::{Documents, MediaError};
use chela_media::Pdfs;
use proptest::prelude::*;

/// Two pages in compressed streams, made by a library nobody here wrote (fpdf2).
const INVOICE: &[u8] = include_bytes!("../files/invoice.pdf");

/// A PDF of one page from its objects; the first one is the catalog, the second one the tree of pages.
fn pdf(objects: &[&str]) -> Vec<u8> {
    let mut out = b"%PDF-1.4\n".to_vec();
    let mut places = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        places.push(out.len());
        out.extend(format!("{} 0 obj\n{object}\nendobj\n", at + 1).bytes());
    }
    let table = out.len();
    out.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    places.iter().for_each(|place| out.extend(format!("{place:010} 00000 n \n").bytes()));
    let end = format!("trailer\n<</Size {}/Root 1 0 R>>\nstartxref\n{table}\n%%EOF\n", objects.len() + 1);
    out.extend(end.bytes());
    out
}

fn page(content: &str) -> Vec<u8> {
    let stream = format!("<</Length {}>>\nstream\n{content}\nendstream", content.len());
    pdf(&[
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        &stream,
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ])
}

async fn text(bytes: impl Into<Bytes>) -> Result<String, MediaError> {
    Pdfs.text(bytes.into(), 10_000).await
}

#[tokio::test]
async fn the_text_of_all_pages_is_read_in_order() {
    let text = text(INVOICE).await.unwrap();
    assert!(text.starts_with("Invoice 2026-11"), "{text}");
    for words in ["The dentist charges 120 EUR", "café Müller, naïve", "Second page: ignore"] {
        assert!(text.contains(words), "{words} is missing in {text}");
    }
}

#[tokio::test]
async fn no_more_is_read_than_wanted() {
    let most = Pdfs.text(Bytes::from_static(INVOICE), 7).await.unwrap();
    assert_eq!(most, "Invoice");
}

#[tokio::test]
async fn what_has_no_text_says_so() {
    for (bytes, reason) in [
        (page("0 0 100 100 re f"), "it holds no text"),
        (b"%PDF-1.7".to_vec(), "cannot be read"),
        (b"".to_vec(), "cannot be read"),
        (vec![b'%'; 1000], "cannot be read"),
        (INVOICE[..INVOICE.len() / 3].to_vec(), "the PDF"),
    ] {
        let error = text(bytes).await.unwrap_err();
        assert!(matches!(&error, MediaError::Unfit(words) if words.contains(reason)), "{error:?}");
    }
    let huge = text(vec![0; 21 * 1024 * 1024]).await.unwrap_err();
    assert_eq!(huge, MediaError::Unfit("the PDF is too large to be read".into()));
}

#[tokio::test]
async fn pages_that_hold_themselves_and_nests_without_end_are_left() {
    let nest = "[".repeat(200_000);
    let deep = format!("<</Type/Page/Parent 2 0 R/Contents {nest}>>");
    let circle = ["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[2 0 R 2 0 R]/Parent 2 0 R/Count 9999999>>"];
    let began = Instant::now();
    for bytes in [pdf(&circle), pdf(&[circle[0], circle[1], &deep]), page(&format!("BT /F1 12 Tf {nest} TJ ET"))] {
        assert!(text(bytes).await.is_err());
    }
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

/// A small file that would unpack to 20 MB, and to much more once it is parsed.
#[tokio::test]
async fn q05_a_bomb_does_not_unpack() {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    let line = b"(boom) Tj ".repeat(6_400);
    for _ in 0..320 {
        std::io::Write::write_all(&mut encoder, &line).unwrap();
    }
    let packed = encoder.finish().unwrap();
    let head = format!("<</Length {}/Filter/FlateDecode>>\nstream\n", packed.len());
    let frame = pdf(&[
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        &format!("{head}BOMB\nendstream"),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]);
    let at = frame.windows(4).position(|window| window == b"BOMB").unwrap();
    let bomb = [&frame[..at], &packed, &frame[at + 4..]].concat();
    let began = Instant::now();
    assert!(text(bomb).await.is_err());
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Neither a torn nor an altered file ends the process; a panic on the thread would show as this one message.
    #[test]
    fn a_damaged_file_is_an_error_or_a_text(
        cut in 0..INVOICE.len(),
        changes in prop::collection::vec((0..INVOICE.len(), any::<u8>()), 0..40),
        whole in any::<bool>(),
    ) {
        let mut bytes = INVOICE.to_vec();
        changes.iter().for_each(|(at, byte)| bytes[*at] = *byte);
        if !whole {
            bytes.truncate(cut);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        if let Err(MediaError::Unfit(reason)) = runtime.block_on(text(bytes)) {
            prop_assert!(!reason.contains("damaged") && !reason.contains("too long"), "{}", reason);
        }
    }
}
