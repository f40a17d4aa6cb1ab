//! The results table of the turn protocol. The numbers are those of an independent model in another language, which
//! finds the same states, each finding in as many of them, and the same shortest ways.

use chela_protocol::design::*;
use chela_protocol::explore::Finding::*;
use chela_protocol::explore::{Exploration, Finding};

use crate::explored;

/// Holds the shortest way to a finding against a story, sentence by sentence.
fn assert_story(exploration: &Exploration, finding: Finding, expected: &str) {
    let story = exploration.story(finding).unwrap().to_string();
    let lines = |text: &str| text.trim().lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
    assert_eq!(lines(&story), lines(expected), "\n{story}");
}

/// The shortest violation of any kind is this one.
fn assert_shortest(exploration: &Exploration, finding: Finding) {
    assert_eq!(exploration.shortest_violation(), exploration.story(finding));
}

#[test]
fn saving_at_the_end_repeats_all_that_was_done() {
    explored(
        &SAVE_AT_THE_END,
        8_600,
        &[(DuplicateReply, 6_086), (DuplicateToolEffect, 7_689), (DuplicateUserEntry, 4_327)],
    );
}

#[test]
fn appending_as_you_go_repeats_all_and_breaks_the_transcript() {
    explored(
        &APPEND_AS_YOU_GO,
        296_964,
        &[
            (DuplicateReply, 173_613),
            (DuplicateToolEffect, 288_986),
            (DuplicateUserEntry, 296_685),
            (InvalidAtModelCall, 11_730),
            (InvalidAtRest, 17_356),
        ],
    );
}

#[test]
fn idempotency_around_the_handler_repeats_all_and_breaks_the_transcript() {
    explored(
        &HANDLER_IDEMPOTENCY,
        523_191,
        &[
            (DuplicateReply, 344_309),
            (DuplicateToolEffect, 505_818),
            (DuplicateUserEntry, 521_360),
            (InvalidAtModelCall, 15_366),
            (InvalidAtRest, 17_864),
        ],
    );
}

#[test]
fn the_proposed_design_breaks_nothing_and_flags_what_it_cannot_know() {
    let exploration = explored(&PROPOSED_DESIGN, 253_164, &[(ReplyFlagged, 352), (ToolFlagged, 352)]);
    assert_eq!(exploration.shortest_violation(), None);
}

#[test]
fn with_send_keys_only_tools_are_flagged() {
    explored(&IDEMPOTENT_SEND, 147_287, &[(ToolFlagged, 136)]);
}

#[test]
fn with_keys_for_sends_and_tools_nothing_is_even_flagged() {
    explored(&IDEMPOTENT_BOTH, 56_838, &[]);
}

#[test]
fn without_the_lease_recheck_a_late_send_overtakes() {
    let exploration =
        explored(&WITHOUT_LEASE_RECHECK, 228_418, &[(ReplyOrder, 2_886), (ReplyFlagged, 352), (ToolFlagged, 406)]);
    assert_shortest(&exploration, ReplyOrder);
    assert_story(
        &exploration,
        ReplyOrder,
        "1. The queue delivers message 1 to attempt 1.
         2. Attempt 1 claims the session to work on message 1.
         3. Attempt 1 asks the model about message 1.
         4. Attempt 1 writes the model's tool call for message 1.
         5. Attempt 1 writes the tool intent for message 1.
         6. Attempt 1 runs the tool for message 1.
         7. Attempt 1 writes the tool's result for message 1.
         8. Attempt 1 asks the model for the reply to message 1.
         9. Attempt 1 writes the reply to message 1.
         10. The visibility timeout of message 1 runs out while attempt 1 still works on it.
         11. The lease of attempt 1 runs out while it still runs.
         12. The queue delivers message 1 again, to attempt 2.
         13. Attempt 1 writes the send intent for message 1.
         14. Attempt 2 claims the session to work on message 1.
         15. Attempt 2 writes that nobody knows whether the reply to message 1 was sent.
         16. Attempt 2 acknowledges message 1.
         17. The queue delivers message 2 to attempt 3.
         18. Attempt 3 claims the session to work on message 2.
         19. Attempt 3 asks the model about message 2.
         20. Attempt 3 writes the model's tool call for message 2.
         21. Attempt 3 writes the tool intent for message 2.
         22. Attempt 3 runs the tool for message 2.
         23. Attempt 3 writes the tool's result for message 2.
         24. Attempt 3 asks the model for the reply to message 2.
         25. Attempt 3 writes the reply to message 2.
         26. Attempt 3 writes the send intent for message 2.
         27. Attempt 3 sends the reply to message 2.
         28. Attempt 1 sends the reply to message 1.
         The user sees the reply to message 1 after the reply to message 2.",
    );
}

#[test]
fn without_the_fence_a_late_attempt_writes_over_the_next() {
    let exploration = explored(
        &WITHOUT_FENCE,
        116_336,
        &[
            (DuplicateReply, 22_094),
            (DuplicateToolEffect, 44_706),
            (ReplyOrder, 2_001),
            (InvalidAtModelCall, 1_894),
            (InvalidAtRest, 2_212),
            (ReplyFlagged, 326),
            (ToolFlagged, 347),
        ],
    );
    assert_shortest(&exploration, InvalidAtModelCall);
    assert_story(
        &exploration,
        InvalidAtModelCall,
        "1. The queue delivers message 1 to attempt 1.
         2. Attempt 1 claims the session to work on message 1.
         3. Attempt 1 asks the model about message 1.
         4. The visibility timeout of message 1 runs out while attempt 1 still works on it.
         5. The lease of attempt 1 runs out while it still runs.
         6. The queue delivers message 1 again, to attempt 2.
         7. Attempt 2 claims the session to work on message 1.
         8. Attempt 1 writes the model's tool call for message 1.
         The model is now asked with a transcript that it refuses.",
    );
    assert_story(
        &exploration,
        DuplicateToolEffect,
        "1. The queue delivers message 1 to attempt 1.
         2. Attempt 1 claims the session to work on message 1.
         3. Attempt 1 asks the model about message 1.
         4. Attempt 1 writes the model's tool call for message 1.
         5. The visibility timeout of message 1 runs out while attempt 1 still works on it.
         6. The lease of attempt 1 runs out while it still runs.
         7. The queue delivers message 1 again, to attempt 2.
         8. Attempt 2 claims the session to work on message 1.
         9. Attempt 1 writes the tool intent for message 1.
         10. Attempt 1 runs the tool for message 1.
         11. Attempt 2 writes the tool intent for message 1.
         12. Attempt 2 runs the tool for message 1.
         The tool's effect has happened twice.",
    );
}

#[test]
fn without_the_tool_journal_a_tool_runs_again() {
    let exploration = explored(&WITHOUT_JOURNAL, 51_476, &[(DuplicateToolEffect, 18_144), (ReplyFlagged, 60)]);
    assert_shortest(&exploration, DuplicateToolEffect);
    assert_story(
        &exploration,
        DuplicateToolEffect,
        "1. The queue delivers message 1 to attempt 1.
         2. Attempt 1 claims the session to work on message 1.
         3. Attempt 1 asks the model about message 1.
         4. Attempt 1 writes the model's tool call for message 1.
         5. Attempt 1 runs the tool for message 1.
         6. Attempt 1 dies before it can write the tool's result for message 1.
         7. The queue delivers message 1 again, to attempt 2.
         8. The lease of attempt 1, which has ended, runs out.
         9. Attempt 2 claims the session to work on message 1.
         10. Attempt 2 runs the tool for message 1.
         The tool's effect has happened twice.",
    );
}

#[test]
fn without_the_outbox_intent_a_reply_is_sent_again() {
    let exploration = explored(&WITHOUT_OUTBOX_INTENT, 53_491, &[(DuplicateReply, 13_067), (ToolFlagged, 70)]);
    assert_shortest(&exploration, DuplicateReply);
    assert_story(
        &exploration,
        DuplicateReply,
        "1. The queue delivers message 1 to attempt 1.
         2. Attempt 1 claims the session to work on message 1.
         3. Attempt 1 asks the model about message 1.
         4. Attempt 1 writes the model's tool call for message 1.
         5. Attempt 1 writes the tool intent for message 1.
         6. Attempt 1 runs the tool for message 1.
         7. Attempt 1 writes the tool's result for message 1.
         8. Attempt 1 asks the model for the reply to message 1.
         9. Attempt 1 writes the reply to message 1.
         10. Attempt 1 sends the reply to message 1.
         11. Attempt 1 dies before it can write that the reply to message 1 was sent.
         12. The queue delivers message 1 again, to attempt 2.
         13. The lease of attempt 1, which has ended, runs out.
         14. Attempt 2 claims the session to work on message 1.
         15. Attempt 2 sends the reply to message 1.
         The user sees a reply twice.",
    );
}

#[test]
fn resending_what_is_unknown_sends_twice() {
    let exploration = explored(&RESEND_UNKNOWN, 59_068, &[(DuplicateReply, 12_929), (ToolFlagged, 60)]);
    assert_shortest(&exploration, DuplicateReply);
}

#[test]
fn without_the_lease_a_send_in_flight_is_overtaken() {
    let exploration = explored(&WITHOUT_LEASE, 98_186, &[(ReplyOrder, 1_524), (ReplyFlagged, 72), (ToolFlagged, 90)]);
    assert_shortest(&exploration, ReplyOrder);
    assert_story(&exploration, ReplyOrder, OVERTAKEN_SEND);
}

const OVERTAKEN_SEND: &str = "1. The queue delivers message 1 to attempt 1.
     2. Attempt 1 claims the session to work on message 1.
     3. Attempt 1 asks the model about message 1.
     4. Attempt 1 writes the model's tool call for message 1.
     5. Attempt 1 writes the tool intent for message 1.
     6. Attempt 1 runs the tool for message 1.
     7. Attempt 1 writes the tool's result for message 1.
     8. Attempt 1 asks the model for the reply to message 1.
     9. Attempt 1 writes the reply to message 1.
     10. Attempt 1 writes the send intent for message 1.
     11. The visibility timeout of message 1 runs out while attempt 1 still works on it.
     12. The queue delivers message 1 again, to attempt 2.
     13. Attempt 2 claims the session to work on message 1.
     14. Attempt 2 writes that nobody knows whether the reply to message 1 was sent.
     15. Attempt 2 acknowledges message 1.
     16. The queue delivers message 2 to attempt 3.
     17. Attempt 3 claims the session to work on message 2.
     18. Attempt 3 asks the model about message 2.
     19. Attempt 3 writes the model's tool call for message 2.
     20. Attempt 3 writes the tool intent for message 2.
     21. Attempt 3 runs the tool for message 2.
     22. Attempt 3 writes the tool's result for message 2.
     23. Attempt 3 asks the model for the reply to message 2.
     24. Attempt 3 writes the reply to message 2.
     25. Attempt 3 writes the send intent for message 2.
     26. Attempt 3 sends the reply to message 2.
     27. Attempt 1 sends the reply to message 1.
     The user sees the reply to message 1 after the reply to message 2.";

#[test]
fn with_keys_for_sends_and_tools_the_lease_saves_only_money() {
    explored(&IDEMPOTENT_BOTH_WITHOUT_LEASE, 35_006, &[]);
}

#[test]
fn a_call_that_outlives_the_lease_is_overtaken() {
    let exploration =
        explored(&WITHOUT_BOUNDED_CALLS, 74_535, &[(ReplyOrder, 872), (ReplyFlagged, 52), (ToolFlagged, 62)]);
    assert_shortest(&exploration, ReplyOrder);
}

#[test]
fn with_keys_for_sends_and_tools_a_call_may_outlive_the_lease() {
    explored(&IDEMPOTENT_BOTH_WITHOUT_BOUNDED_CALLS, 32_205, &[]);
}

/// In the table the fence goes together with the re-check, which keeps effects single; the transcript needs the fence.
#[test]
fn the_lease_recheck_does_not_replace_the_fence() {
    let exploration = explored(
        &WITHOUT_FENCE_ALONE,
        22_954,
        &[(InvalidAtModelCall, 267), (InvalidAtRest, 351), (ReplyFlagged, 90), (ToolFlagged, 72)],
    );
    assert_shortest(&exploration, InvalidAtModelCall);
}

/// In the table the lease goes together with the re-check.
#[test]
fn the_lease_recheck_does_not_replace_the_lease() {
    let exploration =
        explored(&WITHOUT_LEASE_ALONE, 24_465, &[(ReplyOrder, 323), (ReplyFlagged, 24), (ToolFlagged, 30)]);
    assert_story(&exploration, ReplyOrder, OVERTAKEN_SEND);
}
