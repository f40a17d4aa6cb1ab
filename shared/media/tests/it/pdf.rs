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

/// A page whose parts are these objects, from the fourth on, behind a page with these entries.
fn page_of(entries: &str, parts: &[&str]) -> Vec<u8> {
    let page = format!("<</Type/Page/Parent 2 0 R/Contents 4 0 R{entries}>>");
    let tree = ["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>", &page];
    pdf(&[&tree, parts].concat())
}

/// A file whose table of objects is a stream: these entries, and what it holds.
fn with_table(entries: &str, table: &str) -> Vec<u8> {
    let mut out = pdf(&["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[]/Count 0>>"]);
    let at = out.len();
    let length = table.len();
    let stream =
        format!("9 0 obj\n<</Type/XRef/Root 1 0 R/Length {length}{entries}>>\nstream\n{table}\nendstream\nendobj\n");
    out.extend(format!("{stream}startxref\n{at}\n%%EOF\n").bytes());
    out
}

fn stream(entries: &str, content: &str) -> String {
    format!("<</Length {}{entries}>>\nstream\n{content}\nendstream", content.len())
}

/// Files that lead their reader in a circle, count beyond what they hold, or nest. Each ends soon, with a text or an error,
/// and leaves nothing that goes on.
#[tokio::test]
async fn q05_no_file_keeps_its_reader_busy() {
    let font = "/Resources<</Font<</F1 5 0 R>>>>";
    let words = stream("", "BT /F1 12 Tf <00410042> Tj ET");
    let map = |range: &str| stream("", &format!("/CIDInit begincmap 1 beginbfrange {range} endbfrange endcmap"));
    let mapped = |range: &str| {
        let font = "<</Type/Font/Subtype/Type0/Encoding/Identity-H/ToUnicode 6 0 R>>";
        page_of("/Resources<</Font<</F1 5 0 R>>>>", &[&words, font, &map(range)])
    };
    let many = "/FlateDecode ".repeat(500);
    let kids = format!("<</Type/Pages/Kids[{}]/Count 50000>>", "3 0 R ".repeat(50_000));
    let chain: Vec<String> = (3..20_000).map(|n| format!("<</Type/Pages/Kids[{n} 0 R]/Count 1>>")).collect();
    let chain: Vec<&str> =
        std::iter::once("<</Type/Catalog/Pages 2 0 R>>").chain(chain.iter().map(String::as_str)).collect();
    let cases = [
        ("a page that is its own parent", page_of("/Parent 3 0 R", &[&words])),
        ("contents of themselves", page_of(font, &["[4 0 R 4 0 R]", "<<>>"])),
        ("a part that is itself", page_of(font, &["4 0 R", "5 0 R"])),
        (
            "resources of themselves",
            page_of("/Resources 5 0 R", &[&words, "<</Font 5 0 R/Resources 5 0 R/Parent 5 0 R>>"]),
        ),
        ("a length that is the stream", page_of(font, &["<</Length 4 0 R>>\nstream\nBT ET\nendstream", "<<>>"])),
        ("filters of filters", page_of(font, &[&stream(&format!("/Filter[{many}]"), "x"), "<<>>"])),
        ("a wide map", mapped("<00000000> <FFFFFFFF> <0041>")),
        ("a backward map", mapped("<FFFF> <0000> <0041>")),
        (
            "many kids",
            pdf(&["<</Type/Catalog/Pages 2 0 R>>", &kids, "<</Type/Page/Parent 2 0 R/Contents 4 0 R>>", &words]),
        ),
        ("a long chain", pdf(&chain)),
        ("brackets", page(&format!("BT {} Tj ET", "(".repeat(300_000)))),
        ("dictionaries", page_of(&format!("/A {}", "<</A ".repeat(200_000)), &[&words])),
        ("a table without width", with_table("/Size 4294967295/W[0 0 0]/Index[0 4294967295]", "x")),
        ("a table of many", with_table("/Size 2147483647/W[1 0 0]", "x")),
        ("a table before itself", with_table("/Size 2/W[1 1 1]/Prev 9", "xxxxxx")),
        ("wide columns", with_table("/Size 9/W[4294967295 4294967295 9]", "xxxxxx")),
        ("objects without number", page_of("", &[&stream("/Type/ObjStm/N 4294967295/First 2", "1 0 <<>>")])),
        ("objects of themselves", page_of("", &[&stream("/Type/ObjStm/N 1/First 4/Extends 4 0 R", "4 0 4 0 R")])),
    ];
    for (what, bytes) in cases {
        let began = Instant::now();
        let said = text(bytes).await;
        assert!(began.elapsed() < Duration::from_secs(4), "{what}: {:?} {said:?}", began.elapsed());
    }
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
