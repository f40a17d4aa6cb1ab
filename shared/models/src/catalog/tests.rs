#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests, where a panic is the failure

use std::collections::BTreeSet;

use super::*;

#[test]
fn the_data_is_sane() {
    serde_json::from_str::<Vec<Builtin>>(include_str!("providers.json")).unwrap();
    serde_json::from_str::<Models>(include_str!("models.json")).unwrap();
    let names: Vec<&str> =
        builtins().iter().flat_map(|known| known.aliases.iter().chain([&known.id])).copied().collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "two providers of one name");
    for known in builtins() {
        assert!(known.max_tokens < known.context_window, "{}", known.id);
        assert!(!known.needs_key || !known.key_env.is_empty(), "{} has a key without a variable", known.id);
    }
    assert!(prices_of().parse::<jiff::civil::Date>().is_ok(), "{}", prices_of());
    let mut seen = BTreeSet::new();
    for model in models() {
        let name = format!("{}/{}", model.provider, model.id);
        assert!(seen.insert(name.clone()), "{name} stands there twice");
        assert!(builtin(model.provider).is_some_and(|known| known.id == model.provider), "{name}");
        assert!(model.max_tokens < model.context_window && model.max_tokens > 0, "{name}");
        assert!(model.input.contains(&Input::Text) && (model.reasoning || model.efforts.is_empty()), "{name}");
        assert!(model.reasoning || !model.adaptive, "{name}");
        if let Some(price) = &model.price {
            // No model reads dearer than it writes, and none costs more than a dollar for a thousand tokens.
            assert!(price.output >= price.input && price.output > 0 && price.output < 1_000_000_000, "{name}");
            assert!(price.cache_read <= price.input && price.cache_write <= price.input.saturating_mul(2), "{name}");
        }
    }
}

#[test]
fn a_model_is_known_by_its_name_with_or_without_a_date() {
    let of = |provider, model| known(provider, model).map(|known| known.id);
    assert_eq!(of("anthropic", "claude-haiku-4-5"), Some("claude-haiku-4-5"));
    assert_eq!(of("anthropic", "claude-haiku-4-5-20251001"), Some("claude-haiku-4-5"));
    assert_eq!(of("openai", "gpt-5.4-2026-03-05"), Some("gpt-5.4"));
    assert_eq!(of("gemini", "gemini-2.5-pro"), Some("gemini-2.5-pro"), "by the provider's other name");
    assert_eq!(of("bedrock", "eu.anthropic.claude-sonnet-5"), Some("us.anthropic.claude-sonnet-5"));
    for (provider, model) in [
        ("anthropic", "claude-haiku-4-5-2025"),
        ("anthropic", "claude-haiku-4-5-20251001-beta"),
        ("openai", "claude-haiku-4-5"),
        ("openai", "20251001"),
        ("openai", "é-20251001"),
        ("acme", "gpt-5"),
        ("openai", ""),
    ] {
        assert_eq!(of(provider, model), None, "{provider}/{model}");
    }
}

/// Anthropic's own list of 2026-10-21: $1, $5, $0.10 and $1.25 for a million tokens.
#[test]
fn a_price_is_in_billionths_for_a_thousand() {
    let price = known("anthropic", "claude-haiku-4-5").unwrap().price.unwrap();
    let expected = Price { input: 1_000_000, output: 5_000_000, cache_read: 100_000, cache_write: 1_250_000 };
    assert_eq!(price, expected);
    assert_eq!(Price::from(Cost { input: -1.0, output: f64::NAN, ..Cost::default() }), Price::default());
}

#[test]
fn a_degree_the_model_does_not_know_becomes_the_nearest() {
    use Effort::{High, Low, Max, Medium, Minimal, Xhigh};
    let all = [Effort::None, Minimal, Low, Medium, High, Xhigh, Max];
    assert_eq!(effort(Thinking::Off, &all), Some(Effort::None));
    assert_eq!(effort(Thinking::Off, &[Low, High]), None);
    assert_eq!(effort(Thinking::Minimal, &[Effort::None, Low, High]), Some(Low));
    assert_eq!(effort(Thinking::Medium, &[Low, High]), Some(Low));
    assert_eq!(effort(Thinking::Xhigh, &all), Some(Xhigh));
    assert_eq!(effort(Thinking::Xhigh, &[Low, High, Max]), Some(Max));
    assert_eq!(effort(Thinking::Xhigh, &[Low, High]), Some(High));
    assert_eq!(effort(Thinking::High, &[]), None);
}

/// A cold start pays for the providers, and for the models only if it looks one up. Even unoptimised and on a busy machine
/// both stay far below what a person would notice.
#[test]
fn the_data_is_read_quickly() {
    let started = std::time::Instant::now();
    serde_json::from_str::<Vec<Builtin>>(include_str!("providers.json")).unwrap();
    let providers = started.elapsed();
    serde_json::from_str::<Models>(include_str!("models.json")).unwrap();
    let models = started.elapsed() - providers;
    println!("providers {} µs, models {} µs", providers.as_micros(), models.as_micros());
    assert!(providers.as_millis() < 50 && models.as_millis() < 250, "{providers:?} {models:?}");
}
