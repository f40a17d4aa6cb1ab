//! What services cost that are no answers of models, as data.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chela_core::purse::Service;
use chela_core::spend::NanoDollars;
use serde::Deserialize;

use super::{builtin, undated};

/// The file. `pricesOf` is the day of the prices, `sources` where they were published, `estimates` what is not published by
/// our unit and how it was reckoned; `prices` are dollars, by service and `provider/model`, for what [`nano`] says.
#[derive(Default, Deserialize)]
struct Services {
    prices: BTreeMap<Service, BTreeMap<String, f64>>,
}

// That the file can be read is tested; a reader without it knows no price, which is safe.
static SERVICES: LazyLock<Services> =
    LazyLock::new(|| serde_json::from_str(include_str!("services.json")).unwrap_or_default());

/// What is known of the price of a thousand units of a service; `None` if nothing is. Like models, it is found under
/// another name of its provider, and with a date behind its own.
pub fn price_of_service(service: Service, provider: &str, model: &str) -> Option<NanoDollars> {
    let provider = builtin(provider).map_or(provider, |known| known.id);
    let prices = SERVICES.prices.get(&service)?;
    let find = |model: &str| prices.get(format!("{provider}/{model}").as_str());
    let dollars = find(model).or_else(|| find(undated(model)?))?;
    Some(nano(service, *dollars))
}

/// The price of a thousand units, from dollars as price lists have them: for a million characters or tokens, a minute, a
/// megapixel, a thousand searches. What is below zero or no number costs nothing.
pub fn nano(service: Service, dollars: f64) -> NanoDollars {
    let thousand_units = match service {
        Service::Models | Service::Speech | Service::Embeddings => 1e6,
        Service::Transcripts => 1e12 / 60.0,
        Service::Pictures | Service::Searches => 1e9,
    };
    (dollars * thousand_units).round() as NanoDollars
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_data_is_sane() {
        let file: Value = serde_json::from_str(include_str!("services.json")).unwrap();
        assert!(file["pricesOf"].as_str().unwrap().parse::<jiff::civil::Date>().is_ok());
        assert!(!file["sources"].as_array().unwrap().is_empty());
        let services: Services = serde_json::from_str(include_str!("services.json")).unwrap();
        assert_eq!(services.prices.len(), 5, "all but models");
        for (name, dollars) in services.prices.values().flatten() {
            assert!(name.contains('/') && (0.0..=300.0).contains(dollars), "{name}");
        }
        for estimated in file["estimates"].as_object().unwrap().keys() {
            assert!(services.prices.values().any(|prices| prices.contains_key(estimated.as_str())), "{estimated}");
        }
    }

    #[test]
    fn prices_are_of_a_thousand_units() {
        let of = price_of_service;
        assert_eq!(of(Service::Speech, "openai", "tts-1"), Some(15_000_000), "$15 a million characters");
        assert_eq!(of(Service::Transcripts, "openai", "whisper-1"), Some(100_000_000), "$0.006 a minute");
        assert_eq!(of(Service::Embeddings, "openai", "text-embedding-3-small"), Some(20_000), "$0.02 a million");
        assert_eq!(of(Service::Pictures, "gemini", "gemini-2.5-flash-image"), Some(39_000_000), "by another name");
        assert_eq!(of(Service::Transcripts, "openai", "gpt-4o-mini-transcribe-2025-12-15"), Some(50_000_000));
        assert_eq!(of(Service::Speech, "openai", "whisper-1"), None);
        assert_eq!(of(Service::Speech, "acme", "tts-1"), None);
        assert_eq!((nano(Service::Searches, 5.0), nano(Service::Speech, f64::NAN)), (5_000_000_000, 0));
    }
}
