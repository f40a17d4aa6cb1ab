//! Streaming: one message grows in its place, silence stays silent, and what the model thought is not shown, at no moment.

use std::time::{Duration, Instant};

use serde_json::json;

use super::house::{ADA, House, Plan};
use super::provider::{Speaks, calls, says, says_slowly};
use crate::local::PATIENCE;

async fn house(speaks: Speaks) -> House {
    let streams = json!({"channels": {"telegram": {"streaming": {"mode": "partial"}}}});
    Plan::new().provider("model", speaks).with(streams).open().await
}

#[tokio::test]
async fn an_answer_grows_in_one_message() {
    let house = house(Speaks::Anthropic).await;
    let (ada, model) = (house.ada(), house.provider("model"));
    let pieces = ["The ship leaves the harbour at nine", ", and comes back in the evening", " if the wind is fair."];
    model.will([says_slowly(&pieces)]);
    ada.writes("When does the ship leave?").await;
    let mut grown = String::new();
    for piece in &pieces[..2] {
        grown += piece;
        let now = house.telegram.wait_for(ADA, |shown| shown.iter().any(|shown| shown.text == grown)).await;
        assert_eq!(now.len(), 1, "{now:?}");
        model.go_on();
    }
    let whole = pieces.concat();
    let shown = house.telegram.wait_for(ADA, |shown| shown.iter().any(|shown| shown.text == whole)).await;
    assert_eq!(shown.len(), 1, "one message, however often it was edited: {shown:?}");
    assert_eq!(shown[0].earlier, [pieces[0].to_owned(), pieces[..2].concat()]);
}

/// The tag of a thought is torn over two pieces, as streams tear it.
#[tokio::test]
async fn what_the_model_thought_is_never_seen() {
    let house = house(Speaks::OpenAiChat).await;
    let (ada, model) = (house.ada(), house.provider("model"));
    let pieces =
        ["<thi", "nk>She is late again, but do not say so.</think>", "The train leaves at ten past nine", " today."];
    model.will([says_slowly(&pieces)]);
    ada.writes("When does the train leave?").await;
    model.was_asked(1).await;
    model.go_on();
    model.go_on();
    house.telegram.wait_for(ADA, |shown| shown.iter().any(|shown| shown.text == pieces[2])).await;
    model.go_on();
    let whole = "The train leaves at ten past nine today.";
    let shown = house.telegram.wait_for(ADA, |shown| shown.iter().any(|shown| shown.text == whole)).await;
    assert_eq!((shown.len(), shown[0].earlier.concat().contains("late again")), (1, false), "{shown:?}");
}

#[tokio::test]
async fn silence_is_not_sent_nor_shown_on_the_way() {
    let house = house(Speaks::Anthropic).await;
    let (ada, model) = (house.ada(), house.provider("model"));
    model.will([says_slowly(&["NO_", "REPLY"]), says("Now I speak.")]);
    ada.writes("You need not answer.").await;
    model.was_asked(1).await;
    model.go_on();
    // Messages of a conversation are answered in their order: had the first been answered, it would stand there.
    assert_eq!(ada.asks("And now?").await, "Now I speak.");
    let shown = ada.shown();
    assert!(shown.len() == 1 && shown[0].earlier.is_empty(), "{shown:?}");
}

#[tokio::test]
async fn somebody_types_while_the_model_thinks() {
    let house = house(Speaks::Anthropic).await;
    let (ada, model) = (house.ada(), house.provider("model"));
    model.will([says_slowly(&["", "Done."])]);
    ada.writes("Think well.").await;
    let until = Instant::now() + PATIENCE;
    while house.telegram.typing() == 0 {
        assert!(Instant::now() < until, "nobody types");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(ada.shown().len(), 0);
    model.go_on();
    assert_eq!(ada.sees(1).await[0].text, "Done.");
}

#[tokio::test]
async fn what_is_said_before_a_tool_is_a_message_of_its_own_where_that_is_wished() {
    let blocks = json!({"channels": {"telegram": {"streaming": {"block": {"enabled": true}}}}});
    let house = Plan::new().provider("model", Speaks::Anthropic).with(blocks).open().await;
    let (ada, model) = (house.ada(), house.provider("model"));
    let first = "I look into my notes first, because I remember that we spoke of this ship last week.";
    let look = |id: &str| calls(id, "memory_search", &json!({"query": "ship"}));
    let mut long = look("a");
    long.pieces = vec![first.to_owned()];
    // Too short to be a message of its own: it waits for more.
    let mut short = look("b");
    short.pieces = vec!["Once more.".to_owned()];
    model.will([long, short, says("There is nothing.")]);
    ada.writes("Which ship was it?").await;
    let shown = ada.sees(2).await;
    assert_eq!(shown.len(), 2);
    assert_eq!(shown[0].text, first);
    assert!(shown[1].text.contains("Once more.") && shown[1].text.ends_with("There is nothing."), "{shown:?}");
    assert!(!shown[1].text.contains(first), "nothing is said twice");
}
