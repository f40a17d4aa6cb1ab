use proptest::prelude::*;

use super::*;

fn index(notes: &[(&str, &str)]) -> Index {
    let mut index = Index::empty(400, 80).unwrap();
    for (path, text) in notes {
        index.put(path, "1", text).unwrap();
    }
    index
}

fn open(bytes: &[u8]) -> rusqlite::Result<Index> {
    Index::open(bytes, 400, 80)
}

fn hits(index: &Index, question: &str) -> Vec<Stored> {
    let found = index.by_words(question, None, 6).unwrap();
    found.into_iter().map(|(id, _)| index.piece(id).unwrap().unwrap()).collect()
}

fn paths(index: &Index, question: &str) -> Vec<String> {
    hits(index, question).into_iter().map(|hit| hit.path).collect()
}

fn vector(parts: &[f32]) -> Vector {
    Vector::of(parts).unwrap()
}

/// Gives every passage without a vector this one.
fn embed(index: &mut Index, parts: &[f32]) {
    let ids = index.without_vector(1_000).unwrap();
    let vectors: Vec<(i64, Vector)> = ids.into_iter().map(|(id, _)| (id, vector(parts))).collect();
    index.put_vectors(&vectors).unwrap();
}

#[test]
fn words_are_found_whatever_their_case_and_accents() {
    let index = index(&[("a.md", "Café in Köln with Ada"), ("b.md", "Bob likes tea")]);
    assert_eq!(paths(&index, "cafe"), ["a.md"]);
    assert_eq!(paths(&index, "what does BOB like?"), ["b.md"]);
    assert_eq!(paths(&index, "koln tea").len(), 2);
    assert_eq!(paths(&index, "coffee"), Vec::<String>::new());
    assert_eq!(paths(&index, "?!"), Vec::<String>::new());
}

#[test]
fn the_better_piece_comes_first() {
    let weak = format!("tea {}", "word ".repeat(200));
    let index = index(&[("weak.md", &weak), ("strong.md", "tea tea tea"), ("other.md", "milk")]);
    assert_eq!(paths(&index, "tea"), ["strong.md", "weak.md"]);
    let scores = index.by_words("tea", None, 6).unwrap();
    assert!(scores.windows(2).all(|pair| pair[0].1 >= pair[1].1));
    assert!(scores.iter().all(|(_, score)| (0.0..=1.0).contains(score)));
}

#[test]
fn scripts_without_spaces_are_searched_by_character() {
    let index = index(&[("ja.md", "明日は東京へ行く"), ("th.md", "กรุงเทพ")]);
    assert_eq!(paths(&index, "東京"), ["ja.md"]);
    assert_eq!(paths(&index, "京東"), Vec::<String>::new());
    assert_eq!(paths(&index, "เทพ"), ["th.md"]);
}

#[test]
fn a_note_is_replaced_and_forgotten_as_a_whole() {
    let mut index = index(&[("a.md", "tea"), ("b.md", "tea")]);
    embed(&mut index, &[1.0, 0.0]);
    index.put("a.md", "2", "milk").unwrap();
    assert_eq!(paths(&index, "tea"), ["b.md"]);
    assert_eq!(index.known().unwrap().get("a.md").map(String::as_str), Some("2"));
    assert_eq!(index.counts().unwrap(), (2, 1), "the vector of what is gone is gone");
    index.forget("b.md").unwrap();
    assert_eq!(paths(&index, "tea"), Vec::<String>::new());
    assert_eq!((index.known().unwrap().len(), index.counts().unwrap()), (1, (1, 0)));
}

#[test]
fn lines_are_those_of_the_note() {
    let text = format!("{}\nneedle\n{}", "filler line\n".repeat(300), "more filler\n".repeat(300));
    let line = 302;
    let hit = hits(&index(&[("a.md", &text)]), "needle").remove(0);
    assert!((hit.start_line..=hit.end_line).contains(&line), "{}-{}", hit.start_line, hit.end_line);
    assert!(hit.end_line - hit.start_line < 200);
}

#[test]
fn a_passage_is_found_by_the_heading_above_it() {
    let text = format!("# Pets\n{}\n- the vet is Dr. Ito\n", "some more words about them\n".repeat(80));
    let index = index(&[("a.md", &text)]);
    assert!(index.counts().unwrap().0 > 1);
    let last = hits(&index, "pets vet").remove(0);
    assert!(last.text.contains("Ito") && last.heading == "Pets" && !last.text.contains("# Pets"));
}

#[test]
fn it_survives_as_bytes_and_can_grow_afterwards() {
    let mut first = index(&[("a.md", "tea")]);
    first.of_model("m").unwrap();
    embed(&mut first, &[1.0, 0.0]);
    let mut again = open(&first.bytes().unwrap()).unwrap();
    assert_eq!(again.counts().unwrap(), (1, 1));
    for n in 0..200 {
        again.put(&format!("{n}.md"), "1", &format!("tea number{n} {}", "x ".repeat(500))).unwrap();
    }
    assert_eq!(paths(&again, "number77"), ["77.md"]);
}

#[test]
fn anything_else_is_no_index() {
    let good = index(&[("a.md", "tea")]).bytes().unwrap();
    let half = &good[..good.len() / 2];
    let other = {
        let mut index = Index::empty(400, 80).unwrap();
        index.database.pragma_update(None, "user_version", FORM + 1).unwrap();
        index.bytes().unwrap()
    };
    for bytes in [&b""[..], b"no database", half, &other, &[0; 4096]] {
        assert!(open(bytes).and_then(|index| index.known()).is_err(), "{} bytes", bytes.len());
    }
    assert!(Index::open(&good, 400, 80).is_ok());
    assert!(Index::open(&good, 200, 80).is_err() && Index::open(&good, 400, 40).is_err(), "pieces of another size");
}

#[test]
fn vectors_of_another_model_are_thrown_away() {
    let mut index = index(&[("a.md", "tea")]);
    assert!(!index.of_model("one").unwrap());
    embed(&mut index, &[1.0, 0.0]);
    assert!(!index.of_model("one").unwrap());
    assert_eq!((index.counts().unwrap(), index.dimensions().unwrap()), ((1, 1), Some(2)));
    assert!(index.of_model("two").unwrap());
    assert_eq!((index.counts().unwrap(), index.dimensions().unwrap()), ((1, 0), None));
}

#[test]
fn what_did_not_change_is_not_embedded_again() {
    let long = "words to fill a piece with, and some more of them.\n".repeat(60);
    let mut index = index(&[("a.md", &long)]);
    embed(&mut index, &[1.0, 0.0]);
    let (pieces, _) = index.counts().unwrap();
    index.put("a.md", "2", &format!("{long}a new line at the end\n")).unwrap();
    let left = index.without_vector(100).unwrap();
    assert!(pieces >= 2 && left.len() == 1 && left[0].1.contains("a new line"), "{left:?}");
}

#[test]
fn a_question_sees_only_its_places() {
    let notes = [
        ("MEMORY.md", "tea and more"),
        ("memory/shared/a.md", "tea"),
        ("memory/guests/ab.md", "tea"),
        ("memory/guests/cd.md", "tea"),
    ];
    let mut index = index(&notes);
    embed(&mut index, &[1.0, 0.0]);
    let places = ["memory/shared/", "memory/guests/ab.md"];
    let of = |ids: Vec<i64>| {
        let mut paths: Vec<String> = ids.into_iter().map(|id| index.piece(id).unwrap().unwrap().path).collect();
        paths.sort();
        paths
    };
    let words = index.by_words("tea", Some(&places), 6).unwrap().into_iter().map(|(id, _)| id).collect();
    let meaning =
        index.by_meaning(&vector(&[1.0, 0.0]), Some(&places)).unwrap().into_iter().map(|(id, _)| id).collect();
    assert_eq!(of(words), ["memory/guests/ab.md", "memory/shared/a.md"]);
    assert_eq!(of(meaning), ["memory/guests/ab.md", "memory/shared/a.md"]);
    assert_eq!(index.by_words("tea", None, 6).unwrap().len(), 4);
    assert_eq!(index.by_meaning(&vector(&[1.0, 0.0]), None).unwrap().len(), 4);
}

proptest! {
    #[test]
    fn no_question_is_an_error(question in "\\PC{0,30}", operators in "[\"*()^:{}+\\-a-zANDORNT ]{0,20}") {
        let index = index(&[("a.md", "tea AND milk")]);
        index.by_words(&question, None, 6).unwrap();
        index.by_words(&operators, None, 6).unwrap();
    }

    #[test]
    fn damaged_bytes_never_panic(at in 0_usize..40_000, byte in any::<u8>()) {
        let mut index = index(&[("a.md", "tea milk"), ("b.md", "tea")]);
        embed(&mut index, &[1.0, 0.5]);
        let mut bytes = index.bytes().unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(mut index) = open(&bytes) {
            let found = index.by_words("tea", None, 6).unwrap_or_default();
            for (id, _) in found {
                let _ = index.piece(id);
            }
            let _ = index.by_meaning(&vector(&[1.0, 0.0]), None);
            let _ = index.known();
            let _ = index.put("c.md", "1", "more tea");
        }
    }
}
