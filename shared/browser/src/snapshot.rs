//! A page as somebody hears it who does not see: its accessibility tree as text, with a ref on everything that can be
//! acted on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::link::text;

/// Longest text, name, value and address that is shown.
const TEXT_CHARS: usize = 2_000;
const NAME_CHARS: usize = 300;
const URL_CHARS: usize = 150;

/// Deepest nesting that is followed.
const DEEPEST: usize = 300;

/// Deepest indentation: no page spends its snapshot on blanks.
const INDENTED: usize = 20;

/// Longest part of a snapshot, and most parts.
pub(crate) const PART_CHARS: usize = 12_000;
const MOST_PARTS: usize = 20;

/// Roles that can be acted on.
const ACTIVE: [&str; 20] = [
    "button",
    "checkbox",
    "combobox",
    "gridcell",
    "link",
    "listbox",
    "menuitem",
    "menuitemcheckbox",
    "menuitemradio",
    "option",
    "radio",
    "searchbox",
    "slider",
    "spinbutton",
    "switch",
    "tab",
    "textbox",
    "treeitem",
    "DisclosureTriangle",
    "Date",
];

/// Roles that say nothing.
const SILENT: [&str; 12] = [
    "RootWebArea",
    "WebArea",
    "generic",
    "none",
    "presentation",
    "InlineTextBox",
    "LineBreak",
    "ListMarker",
    "LayoutTable",
    "LayoutTableRow",
    "LayoutTableCell",
    "LabelText",
];

/// Properties that are shown where they are true.
const STATES: [&str; 8] = ["checked", "disabled", "expanded", "focused", "invalid", "pressed", "required", "selected"];

/// An element, as the session knows it that speaks with its frame.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Element {
    pub(crate) session: String,
    pub(crate) node: i64,
}

/// The tree of a frame.
pub(crate) struct Tree {
    pub(crate) session: String,
    pub(crate) nodes: Vec<Value>,
}

/// The trees of a page: the main frame's, and those of the frames within it by the element that holds them.
pub(crate) struct Trees {
    pub(crate) main: Tree,
    pub(crate) frames: BTreeMap<Element, Tree>,
}

impl Trees {
    /// Whether the page shows these words.
    pub(crate) fn say(&self, words: &str) -> bool {
        let mut refs = Refs::default();
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        render(self, &mut refs).contains(&words)
    }
}

/// Elements by the numbers of their refs. A number is never given twice on the same page.
#[derive(Debug, Default)]
pub(crate) struct Refs {
    elements: BTreeMap<usize, Element>,
    numbers: BTreeMap<Element, usize>,
    last: usize,
}

impl Refs {
    /// The element of a number, if it was shown since the page was opened.
    pub(crate) fn element(&self, number: usize) -> Option<&Element> {
        self.elements.get(&number)
    }

    /// Another page stands there now.
    pub(crate) fn forget(&mut self) {
        self.elements.clear();
        self.numbers.clear();
    }

    /// Another page stands in a frame now, or none.
    pub(crate) fn forget_those_of(&mut self, session: &str) {
        self.elements.retain(|_, element| element.session != session);
        self.numbers.retain(|element, _| element.session != session);
    }

    fn number(&mut self, element: &Element) -> usize {
        let (elements, last) = (&mut self.elements, &mut self.last);
        *self.numbers.entry(element.clone()).or_insert_with(|| {
            *last = last.saturating_add(1);
            elements.insert(*last, element.clone());
            *last
        })
    }
}

/// What is shown. Elements that have refs keep them; new ones are added.
pub(crate) fn render(trees: &Trees, refs: &mut Refs) -> String {
    let left = PART_CHARS * MOST_PARTS;
    let (out, session) = (String::new(), String::new());
    let mut writer = Writer { trees, refs, out, left, level: 0, session, seen: BTreeSet::new() };
    writer.tree(&trees.main, 0);
    writer.out
}

/// One part of a snapshot, whole lines only, and how many parts there are. Parts are counted from 1.
pub(crate) fn part(text: &str, number: usize) -> (String, usize) {
    let mut parts = vec![String::new()];
    let mut room = PART_CHARS;
    for line in text.lines() {
        let chars = line.chars().count().saturating_add(1);
        if chars > room {
            parts.push(String::new());
            room = PART_CHARS;
        }
        room = room.saturating_sub(chars);
        if let Some(last) = parts.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    let all = parts.len();
    (parts.into_iter().nth(number.saturating_sub(1)).unwrap_or_default(), all)
}

struct Writer<'a> {
    trees: &'a Trees,
    refs: &'a mut Refs,
    out: String,
    /// Characters that may still be written.
    left: usize,
    /// Nodes around the one that is looked at.
    level: usize,
    /// Of the frame that is looked at.
    session: String,
    seen: BTreeSet<Element>,
}

impl Writer<'_> {
    fn tree(&mut self, tree: &Tree, depth: usize) {
        let by_id: BTreeMap<&str, &Value> =
            tree.nodes.iter().filter_map(|node| Some((node.get("nodeId")?.as_str()?, node))).collect();
        let around = std::mem::replace(&mut self.session, tree.session.clone());
        if let Some(root) = tree.nodes.first() {
            self.node(root, &by_id, depth, "");
        }
        self.session = around;
    }

    /// A node, and what is in it unless its name says as much.
    fn node(&mut self, node: &Value, all: &BTreeMap<&str, &Value>, depth: usize, parent: &str) {
        if self.left == 0 {
            return;
        }
        let ignored = node.get("ignored").and_then(Value::as_bool).unwrap_or_default();
        let role = text(node, "/role/value");
        let most = if role == "StaticText" { TEXT_CHARS } else { NAME_CHARS };
        let name = short(&text(node, "/name/value"), most);
        let focusable = property(node, "focusable").is_some_and(|value| *value == true);
        let silent = ignored || SILENT.contains(&role.as_str());
        if role == "StaticText" && !ignored {
            if !name.is_empty() && !parent.contains(name.as_str()) {
                self.line(depth, &format!("text: {name}"));
            }
            return;
        }
        if silent && !(focusable && !name.is_empty() && role == "generic") {
            return self.inside(node, all, depth, parent);
        }
        let mut line = role.clone();
        if !name.is_empty() {
            line.push_str(&format!(" {}", Value::from(name.as_str())));
        }
        line.push_str(&states(node));
        let id = node.get("backendDOMNodeId").and_then(Value::as_i64);
        let element = id.map(|node| Element { session: self.session.clone(), node });
        if let Some(element) =
            element.as_ref().filter(|_| ACTIVE.contains(&role.as_str()) || (focusable && role != "Iframe"))
        {
            line.push_str(&format!(" [ref=e{}]", self.refs.number(element)));
        }
        let value = short(&text(node, "/value/value"), NAME_CHARS);
        if is_masked(&value) {
            // A password. What stands for it says how long it is.
            line.push_str(" [filled]");
        } else if !value.is_empty() && value != name {
            line.push_str(&format!(": {}", Value::from(value.as_str())));
        }
        if role == "link" {
            let to = property(node, "url").and_then(Value::as_str).unwrap_or_default();
            line.push_str(&format!(" -> {}", short(to, URL_CHARS)));
        }
        self.line(depth, &line);
        if let Some((at, frame)) = element.and_then(|element| self.trees.frames.get_key_value(&element))
            && self.seen.insert(at.clone())
        {
            self.tree(frame, depth.saturating_add(1));
        }
        if is_masked(&value) {
            return;
        }
        let within = if name.is_empty() { value } else { name };
        self.inside(node, all, depth.saturating_add(1), &within);
    }

    /// What is in a node. What nobody hears counts as well: a page may nest as deep as it likes.
    fn inside(&mut self, node: &Value, all: &BTreeMap<&str, &Value>, depth: usize, parent: &str) {
        if self.level >= DEEPEST {
            return;
        }
        self.level = self.level.saturating_add(1);
        for child in children(node, all) {
            self.node(child, all, depth, parent);
        }
        self.level = self.level.saturating_sub(1);
    }

    fn line(&mut self, depth: usize, line: &str) {
        let line = format!("{}- {line}\n", "  ".repeat(depth.min(INDENTED)));
        self.left = self.left.saturating_sub(line.chars().count());
        self.out.push_str(&line);
    }
}

fn children<'a>(node: &'a Value, all: &BTreeMap<&str, &'a Value>) -> Vec<&'a Value> {
    let ids = node.get("childIds").and_then(Value::as_array).into_iter().flatten();
    ids.filter_map(|id| all.get(id.as_str()?).copied()).collect()
}

fn property<'a>(node: &'a Value, name: &str) -> Option<&'a Value> {
    let all = node.get("properties").and_then(Value::as_array)?;
    all.iter().find(|property| property.get("name").is_some_and(|it| it == name))?.pointer("/value/value")
}

/// Whether Chromium shows signs in the place of what was typed, as it does for passwords.
fn is_masked(value: &str) -> bool {
    !value.is_empty() && value.chars().all(|c| c == '•')
}

/// Such as ` [level=2] [checked]`.
fn states(node: &Value) -> String {
    let mut out = property(node, "level").map_or_else(String::new, |level| format!(" [level={level}]"));
    for name in STATES {
        match property(node, name) {
            Some(Value::Bool(true)) => out.push_str(&format!(" [{name}]")),
            Some(Value::String(word)) if word == "true" => out.push_str(&format!(" [{name}]")),
            Some(Value::String(word)) if word == "mixed" => out.push_str(&format!(" [{name}=mixed]")),
            _ => {}
        }
    }
    out
}

/// One line, cut.
fn short(text: &str, most: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= most { text } else { text.chars().take(most).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Seen red: without the bound, where it overflows the stack.
    #[test]
    fn a_page_may_nest_as_deep_as_it_likes() {
        for role in ["generic", "group"] {
            let node = |n: u32| {
                let next = (n + 1).to_string();
                json!({ "nodeId": n.to_string(), "role": { "value": role }, "childIds": [next] })
            };
            let main = Tree { session: String::new(), nodes: (0..100_000).map(node).collect() };
            let trees = Trees { main, frames: BTreeMap::new() };
            assert!(render(&trees, &mut Refs::default()).lines().count() <= DEEPEST + 1);
        }
    }

    #[test]
    fn parts_hold_every_line_once() {
        let text: String = (0..3_000).map(|n| format!("- link \"Row {n}\"\n")).collect();
        let (_, all) = part(&text, 1);
        assert!(all > 2);
        let parts: Vec<String> = (1..=all).map(|number| part(&text, number).0).collect();
        assert!(parts.iter().all(|part| !part.is_empty() && part.chars().count() <= PART_CHARS));
        assert_eq!(parts.concat(), text);
        assert_eq!((part(&text, all + 1).0, part("", 1)), (String::new(), (String::new(), 1)));
    }
}
