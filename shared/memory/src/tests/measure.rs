//! How long a search takes: `cargo test --release -p chela-memory -- --ignored --nocapture measure`.

use std::time::{Duration, Instant};

use bytes::Bytes;
use chela_core::blob::{BlobStore, Precondition};

use super::*;
use crate::index::Index;
use crate::vector::Vector;

/// Passages, dimensions and notes of the measurement.
const PASSAGES: usize = 10_000;
const DIMENSIONS: usize = 1_536;
const NOTES: usize = 1_000;

/// Numbers that look random and are always the same.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn words(&mut self, count: usize) -> String {
        let mut text = String::new();
        for _ in 0..count {
            // Few words are common and many are rare, as in any language.
            let rank = self.next() % 1_000 * (self.next() % 20);
            text.push_str(&format!("word{rank} "));
        }
        text
    }

    fn vector(&mut self) -> Vector {
        let parts: Vec<f32> = (0..DIMENSIONS).map(|_| (self.next() % 2_000) as f32 / 1_000.0 - 1.0).collect();
        Vector::of(&parts).unwrap()
    }
}

/// Time this thread has had a processor: on shared cores the clock on the wall measures the others. Linux only.
fn cpu() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(told.split(' ').next().unwrap().parse().unwrap())
}

fn best(times: &[Duration]) -> Duration {
    *times.iter().min().unwrap()
}

#[tokio::test]
#[ignore = "a measurement, for release builds"]
async fn measure_a_search_of_ten_thousand_passages() {
    let mut noise = Noise(88_172_645_463_325_252);
    let bucket = Bucket::default();
    let each = PASSAGES / NOTES;
    for n in 0..NOTES {
        let sections: String = (0..each).map(|s| format!("## Part {s}\n{}\n", noise.words(170))).collect();
        let key = format!("agents/main/memory/n{n}.md");
        bucket.put(&key, Bytes::from(sections), Precondition::None).await.unwrap();
    }
    let memory = Memory::default();
    let agent = AgentId::new("main");
    let begin = Instant::now();
    let rebuilt = memory.rebuild(&bucket, &Till::full(), &agent).await.unwrap();
    println!("index of {rebuilt:?} built in {:?}", begin.elapsed());
    let stored = bucket.get(INDEX).await.unwrap().unwrap().bytes;
    let begin = Instant::now();
    let mut index = Index::open(&stored, 400, 80).unwrap();
    println!("{} bytes without vectors opened in {:?}", stored.len(), begin.elapsed());
    let ids = index.without_vector(2 * PASSAGES).unwrap();
    assert!(ids.len() >= PASSAGES, "{}", ids.len());
    let vectors: Vec<(i64, Vector)> = ids.into_iter().map(|(id, _)| (id, noise.vector())).collect();
    index.put_vectors(&vectors).unwrap();
    println!("{} bytes with {} vectors", index.size().unwrap(), vectors.len());
    let (mut whole, mut words, mut meaning) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..20 {
        let asked = noise.vector();
        let text = noise.words(8);
        let question = Question { agent: &agent, audience: &Audience::Owner, text: &text, most: None, today: today() };
        let begin = cpu();
        let hits = memory.find(&index, &question, Some(&asked)).unwrap();
        whole.push(cpu() - begin);
        assert_eq!(hits.len(), 6);
        let begin = cpu();
        index.by_words(&text, None, 24).unwrap();
        words.push(cpu() - begin);
        let begin = cpu();
        index.by_meaning(&asked, None).unwrap();
        meaning.push(cpu() - begin);
    }
    println!("search, in CPU time {:?}, of which words {:?}, meaning {:?}", best(&whole), best(&words), best(&meaning));
    let mut warm = Vec::new();
    for _ in 0..10 {
        let text = noise.words(8);
        let question = Question { agent: &agent, audience: &Audience::Owner, text: &text, most: None, today: today() };
        let begin = cpu();
        memory.search(&bucket, &Till::full(), &question).await.unwrap();
        warm.push(cpu() - begin);
    }
    println!("a warm search by words with its listing of {NOTES} notes {:?}", best(&warm));
    assert!(best(&whole) <= Duration::from_millis(20), "{:?}", best(&whole));
}
