//! Keys by their names: <https://www.w3.org/TR/uievents-key/>.

use serde_json::{Value, json};

/// A key: its name, its place on a keyboard, its number on Windows, what it writes.
pub(crate) struct Key {
    name: &'static str,
    number: u32,
    writes: &'static str,
}

/// Keys that can be pressed.
const KEYS: [Key; 14] = [
    Key { name: "Enter", number: 13, writes: "\r" },
    Key { name: "Tab", number: 9, writes: "" },
    Key { name: "Escape", number: 27, writes: "" },
    Key { name: "Backspace", number: 8, writes: "" },
    Key { name: "Delete", number: 46, writes: "" },
    Key { name: "Space", number: 32, writes: " " },
    Key { name: "ArrowUp", number: 38, writes: "" },
    Key { name: "ArrowDown", number: 40, writes: "" },
    Key { name: "ArrowLeft", number: 37, writes: "" },
    Key { name: "ArrowRight", number: 39, writes: "" },
    Key { name: "Home", number: 36, writes: "" },
    Key { name: "End", number: 35, writes: "" },
    Key { name: "PageUp", number: 33, writes: "" },
    Key { name: "PageDown", number: 34, writes: "" },
];

/// What to do instead of an unknown key.
pub(crate) const HINT: &str = "there are Enter, Tab, Escape, Backspace, Delete, Space, ArrowUp, ArrowDown, ArrowLeft, \
                               ArrowRight, Home, End, PageUp and PageDown; words are typed";

/// The key of this name, in any case.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name.eq_ignore_ascii_case(name.trim()))
}

impl Key {
    /// What the browser is told.
    pub(crate) fn event(&self, kind: &str) -> Value {
        let key = if self.name == "Space" { " " } else { self.name };
        let mut event = json!({
            "type": kind, "key": key, "code": self.name, "windowsVirtualKeyCode": self.number,
        });
        if kind == "keyDown"
            && !self.writes.is_empty()
            && let Some(fields) = event.as_object_mut()
        {
            fields.insert("text".to_owned(), self.writes.into());
        }
        event
    }
}
