//! Which passages come first. Pure functions over numbers.

use std::collections::HashSet;

use jiff::civil::Date;

use crate::settings::Settings;
use crate::vector::Vector;

/// A passage that may fit.
#[derive(Clone, Debug)]
pub(crate) struct Candidate<T> {
    /// The passage.
    pub(crate) passage: T,
    /// How well its words fit, between 0 and 1; `None` if they do not.
    pub(crate) text: Option<f64>,
    /// How near its meaning is, between 0 and 1; `None` if that is not known.
    pub(crate) vector: Option<f64>,
    /// The day of a daily note.
    pub(crate) day: Option<Date>,
    /// What of it is compared with others.
    pub(crate) likeness: Likeness,
}

/// What of two passages is compared.
#[derive(Clone, Debug)]
pub(crate) struct Likeness {
    words: HashSet<String>,
    vector: Option<Vector>,
}

impl Likeness {
    pub(crate) fn new(text: &str, vector: Option<Vector>) -> Self {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        Self { words: words.map(str::to_lowercase).collect(), vector }
    }

    /// Between 0 and 1: the cosine where both meanings are known, else how many of all words are in both (Jaccard).
    fn with(&self, other: &Self) -> f64 {
        if let (Some(own), Some(other)) = (&self.vector, &other.vector) {
            return own.cosine(&other.bytes, other.norm).max(0.0);
        }
        let both = self.words.intersection(&other.words).count();
        let all = self.words.len().saturating_add(other.words.len()).saturating_sub(both);
        if all == 0 { 0.0 } else { both as f64 / all as f64 }
    }
}

/// SQLite's BM25, which is the better the more negative, as a number between 0 and 1.
pub(crate) fn text_score(bm25: f64) -> f64 {
    let strength = -bm25;
    if strength > 0.0 { strength / (1.0 + strength) } else { 0.0 }
}

/// Words and meaning together. A passage whose meaning is not known yet is judged by its words alone.
fn relevance<T>(candidate: &Candidate<T>, settings: &Settings) -> f64 {
    let text = candidate.text.unwrap_or(0.0);
    match (candidate.vector, settings.hybrid) {
        (None, _) => text,
        (Some(vector), None) => vector,
        (Some(vector), Some(weights)) => {
            let all = weights.vector + weights.text;
            if all > 0.0 { (weights.vector * vector + weights.text * text) / all } else { 0.0 }
        }
    }
}

/// What age leaves of a score: half after each half-life. Notes of the future are as good as today's.
fn aged(score: f64, day: Option<Date>, today: Date, half_life_days: Option<f64>) -> f64 {
    let (Some(day), Some(half_life)) = (day, half_life_days.filter(|days| *days > 0.0)) else { return score };
    let age = today.since(day).map_or(0, |span| span.get_days()).max(0);
    score * 0.5_f64.powf(f64::from(age) / half_life)
}

/// The best passages, best first, each with its score.
///
/// The least score holds for relevance, not for what age makes of it: an old note that fits is better than no answer.
/// Passages that are known by their words alone have no scale to be measured on, and if nothing else is left, any
/// passage that has the words is.
pub(crate) fn rank<T>(
    candidates: Vec<Candidate<T>>,
    today: Date,
    settings: &Settings,
    most: usize,
) -> Vec<(f64, Candidate<T>)> {
    let scored: Vec<(f64, Candidate<T>)> =
        candidates.into_iter().map(|candidate| (relevance(&candidate, settings), candidate)).collect();
    let strict = |score: f64, candidate: &Candidate<T>| candidate.vector.is_none() || score >= settings.min_score;
    let any = scored.iter().any(|(score, candidate)| strict(*score, candidate));
    let mut kept: Vec<(f64, Candidate<T>)> = scored
        .into_iter()
        .filter(|(score, candidate)| if any { strict(*score, candidate) } else { candidate.text.is_some() })
        .map(|(score, candidate)| (aged(score, candidate.day, today, settings.half_life_days), candidate))
        .collect();
    kept.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    match settings.mmr {
        Some(lambda) => various(kept, lambda.clamp(0.0, 1.0), most),
        None => {
            kept.truncate(most);
            kept
        }
    }
}

/// Maximal marginal relevance: each next passage is the one that is best for its relevance and unlike those before.
fn various<T>(mut left: Vec<(f64, Candidate<T>)>, lambda: f64, most: usize) -> Vec<(f64, Candidate<T>)> {
    let (least, best) = left
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, best), (score, _)| (least.min(*score), best.max(*score)));
    let range = best - least;
    let part = |score: f64| if range > 0.0 { (score - least) / range } else { 1.0 };
    let mut chosen: Vec<(f64, Candidate<T>)> = Vec::new();
    while chosen.len() < most && !left.is_empty() {
        let worth = |(score, candidate): &(f64, Candidate<T>)| {
            let likest = chosen.iter().map(|(_, other)| candidate.likeness.with(&other.likeness)).fold(0.0, f64::max);
            lambda * part(*score) - (1.0 - lambda) * likest
        };
        // Of two that are worth the same the one with the better score, which stands first, is taken.
        let mut best: Option<(usize, f64)> = None;
        for (at, item) in left.iter().enumerate() {
            let worth = worth(item);
            if best.is_none_or(|(_, other)| worth > other) {
                best = Some((at, worth));
            }
        }
        let Some((at, _)) = best else { break };
        chosen.push(left.remove(at));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn today() -> Date {
        date(2026, 3, 31)
    }

    fn candidate(name: &'static str, text: Option<f64>, vector: Option<f64>) -> Candidate<&'static str> {
        Candidate { passage: name, text, vector, day: None, likeness: Likeness::new(name, None) }
    }

    fn ranked(candidates: Vec<Candidate<&'static str>>, settings: &Settings) -> Vec<(&'static str, f64)> {
        let rounded = |score: f64| (score * 10_000.0).round() / 10_000.0;
        rank(candidates, today(), settings, 6).into_iter().map(|(score, c)| (c.passage, rounded(score))).collect()
    }

    #[test]
    fn bm25_becomes_a_part_of_one() {
        assert_eq!(text_score(-3.0), 0.75);
        assert_eq!(text_score(-0.25), 0.2);
        assert_eq!((text_score(0.0), text_score(1.0)), (0.0, 0.0));
    }

    #[test]
    fn words_and_meaning_are_weighed_as_by_hand() {
        let plain = Settings { mmr: None, ..Settings::default() };
        let both = candidate("both", Some(0.5), Some(0.8)); // 0.7 * 0.8 + 0.3 * 0.5
        let meaning = candidate("meaning", None, Some(0.9)); // 0.7 * 0.9
        let far = candidate("far", None, Some(0.4)); // 0.28, below 0.35
        let words = candidate("words", Some(0.2), None); // not embedded yet: 0.2 as it is
        assert_eq!(
            ranked(vec![far, words, meaning, both], &plain),
            [("both", 0.71), ("meaning", 0.63), ("words", 0.2)]
        );
        let equal =
            Settings { hybrid: Some(crate::settings::Hybrid { vector: 1.0, text: 1.0, candidates: 4 }), ..plain };
        assert_eq!(ranked(vec![candidate("x", Some(0.5), Some(0.8))], &equal), [("x", 0.65)]);
        let meaning_only = Settings { hybrid: None, ..plain };
        assert_eq!(ranked(vec![candidate("x", Some(0.5), Some(0.8))], &meaning_only), [("x", 0.8)]);
    }

    #[test]
    fn what_has_the_words_is_found_if_nothing_is_near() {
        let plain = Settings { mmr: None, ..Settings::default() };
        let weak = candidate("weak", Some(0.1), Some(0.2)); // 0.17
        let far = candidate("far", None, Some(0.3));
        assert_eq!(ranked(vec![weak, far], &plain), [("weak", 0.17)]);
    }

    #[test]
    fn a_daily_note_counts_half_after_a_month_and_a_topic_never() {
        let on = |name, month, day| Candidate { day: Some(date(2026, month, day)), ..candidate(name, Some(0.8), None) };
        let settings = Settings { mmr: None, ..Settings::default() };
        let all = vec![
            on("month", 3, 1),
            on("today", 3, 31),
            on("tomorrow", 4, 1),
            on("two", 1, 30),
            candidate("topic", Some(0.8), None),
        ];
        assert_eq!(
            ranked(all, &settings),
            [("today", 0.8), ("tomorrow", 0.8), ("topic", 0.8), ("month", 0.4), ("two", 0.2)]
        );
        let never = Settings { half_life_days: None, ..settings };
        assert_eq!(ranked(vec![on("month", 3, 1)], &never), [("month", 0.8)]);
    }

    #[test]
    fn age_puts_a_note_back_but_never_out() {
        let old = Candidate { day: Some(date(2020, 1, 1)), ..candidate("old", None, Some(0.9)) };
        assert_eq!(ranked(vec![old], &Settings::default()), [("old", 0.0)]);
    }

    #[test]
    fn repetitions_come_after_what_is_new() {
        let said = |name, words: &str, text| Candidate {
            likeness: Likeness::new(words, None),
            ..candidate(name, Some(text), None)
        };
        let all = || {
            vec![
                said("first", "ada likes tea", 0.9),
                said("again", "ada likes tea", 0.8),
                said("other", "bob has a cat", 0.5),
            ]
        };
        // Relevance in the range 0.5..0.9: first 1, again 0.75, other 0. After "first":
        // again 0.7 * 0.75 - 0.3 * 1 = 0.225, other 0.7 * 0 - 0.3 * 0 = 0.
        let names = |lambda| {
            ranked(all(), &Settings { mmr: lambda, ..Settings::default() })
                .into_iter()
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(Some(0.7)), ["first", "again", "other"]);
        // 0.5 * 0.75 - 0.5 * 1 = -0.125 against 0.
        assert_eq!(names(Some(0.5)), ["first", "other", "again"]);
        assert_eq!(names(None), ["first", "again", "other"]);
    }

    #[test]
    fn likeness_is_jaccards_or_the_cosine() {
        let words = |text| Likeness::new(text, None);
        assert_eq!(words("Ada likes tea").with(&words("ada LIKES milk")), 0.5);
        assert_eq!(words("").with(&words("")), 0.0);
        let near = |parts: &[f32]| Likeness::new("same words", Vector::of(parts));
        assert!(near(&[1.0, 0.0]).with(&near(&[0.0, 1.0])) < 1e-9);
        assert_eq!(near(&[1.0, 0.0]).with(&words("same words")), 1.0);
    }
}
