//! Buttons under a message, and what comes back from them. <https://core.telegram.org/bots/api#inlinekeyboardbutton>

use chela_core::channel::Choice;
use serde_json::{Value, json};

use crate::update::Keyboard;

/// Most bytes that a button gives back.
const LONGEST: usize = 64;

/// Begins the data of a button whose value is too long: its label is read instead, which Telegram posts along.
const LABELLED: &str = "label#";

/// A row for each choice, so that no label is cut; `None` where there is nothing to choose.
pub(crate) fn keyboard(choices: &[Choice]) -> Option<Value> {
    let row = |(nth, choice): (usize, &Choice)| {
        let fits = (1..=LONGEST).contains(&choice.value.len()) && !choice.value.starts_with(LABELLED);
        let data = if fits { choice.value.clone() } else { format!("{LABELLED}{nth}") };
        json!([{ "text": choice.label, "callback_data": data }])
    };
    let rows: Vec<Value> = choices.iter().enumerate().map(row).collect();
    (!rows.is_empty()).then(|| json!({ "inline_keyboard": rows }))
}

/// What was chosen; `None` where only the label would tell and it did not come along.
pub(crate) fn value(data: String, shown: Option<&Keyboard>) -> Option<String> {
    if !data.starts_with(LABELLED) {
        return Some(data);
    }
    let mut buttons = shown?.inline_keyboard.iter().flatten();
    let pressed = buttons.find(|button| button.callback_data.as_deref() == Some(&*data))?;
    Some(pressed.text.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_comes_back() {
        let choice = |label: &str, value: &str| Choice { label: label.to_owned(), value: value.to_owned() };
        let long = "é".repeat(33);
        let choices =
            [choice("Yes", &"é".repeat(32)), choice("No", &long), choice("Never", "label#0"), choice("Blank", "")];
        let shown = keyboard(&choices).unwrap();
        let keyboard: Keyboard = serde_json::from_value(shown.clone()).unwrap();
        let back = |nth: usize| {
            let data = shown["inline_keyboard"][nth][0]["callback_data"].as_str().unwrap().to_owned();
            assert!((1..=64).contains(&data.len()));
            value(data, Some(&keyboard))
        };
        assert_eq!(back(0), Some("é".repeat(32)));
        assert_eq!([back(1), back(2), back(3)], ["No", "Never", "Blank"].map(|label| Some(label.to_owned())));
        assert_eq!(value("label#1".to_owned(), None), None);
        assert_eq!(super::keyboard(&[]), None);
    }
}
