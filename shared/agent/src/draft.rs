//! The text of an answer while it grows.

use std::sync::{Mutex, PoisonError};

/// The visible text so far, shared between the call and the preview.
#[derive(Default)]
pub(crate) struct Draft(Mutex<String>);

impl Draft {
    pub(crate) fn push(&self, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
    }

    /// It begins anew: another model is asked.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
