//! The text of an answer while it grows.

use std::sync::{Mutex, PoisonError};

/// The visible text so far, shared between the call and what is shown of it.
#[derive(Default)]
pub(crate) struct Draft(Mutex<Text>);

#[derive(Default)]
struct Text {
    whole: String,
    /// Its beginning that was sent, as it is shown.
    sent: String,
    /// The rest is on its way as the answer.
    finished: bool,
}

impl Draft {
    pub(crate) fn push(&self, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).whole.push_str(text);
    }

    /// It begins anew: another model is asked.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).whole.clear();
    }

    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).whole.clone()
    }

    /// More of its beginning is sent. `false`: it is too late for that.
    pub(crate) fn send(&self, block: &str) -> bool {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !text.finished {
            text.sent.push_str(block);
        }
        !text.finished
    }

    /// What was sent of it, and is all that is sent of it: the answer is made of the rest.
    pub(crate) fn finish(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).finished = true;
        self.sent()
    }

    /// What was sent of it. From then on no other model can be asked: it would say something else.
    pub(crate) fn sent(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).sent.clone()
    }
}
