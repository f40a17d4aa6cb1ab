//! A page as somebody hears it who does not see: its accessibility tree as text, with a ref on everything that can be
//! acted on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::browser::link::text;

/// Longest name, value and address that is shown.
const NAME_CHARS: usize = 300;
const URL_CHARS: usize = 150;

/// Deepest nesting that is shown.
const DEEPEST: usize = 60;

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

/// The trees of a page: the main frame's, and those of the frames within it by the element that holds them.
pub(crate) struct Trees {
    pub(crate) main: Vec<Value>,
    pub(crate) frames: BTreeMap<i64, Vec<Value>>,
}

/// What is shown. `shown` are elements that have refs already; new ones are added.
pub(crate) fn render(trees: &Trees, shown: &mut Vec<i64>) -> String {
    let mut writer = Writer { trees, shown, out: String::new(), seen: BTreeSet::new() };
    writer.tree(&trees.main, 0);
    writer.out
}

struct Writer<'a> {
    trees: &'a Trees,
    shown: &'a mut Vec<i64>,
    out: String,
    seen: BTreeSet<i64>,
}

impl Writer<'_> {
    fn tree(&mut self, nodes: &[Value], depth: usize) {
        let by_id: BTreeMap<&str, &Value> =
            nodes.iter().filter_map(|node| Some((node.get("nodeId")?.as_str()?, node))).collect();
        if let Some(root) = nodes.first() {
            self.node(root, &by_id, depth, "");
        }
    }

    /// A node, and what is in it unless its name says as much.
    fn node(&mut self, node: &Value, all: &BTreeMap<&str, &Value>, depth: usize, parent: &str) {
        if depth > DEEPEST {
            return;
        }
        let ignored = node.get("ignored").and_then(Value::as_bool).unwrap_or_default();
        let (role, name) = (text(node, "/role/value"), short(&text(node, "/name/value"), NAME_CHARS));
        let focusable = property(node, "focusable").is_some_and(|value| *value == true);
        let silent = ignored || SILENT.contains(&role.as_str());
        if role == "StaticText" && !ignored {
            if !name.is_empty() && !parent.contains(name.as_str()) {
                self.line(depth, &format!("text: {name}"));
            }
            return;
        }
        if silent && !(focusable && !name.is_empty() && role == "generic") {
            for child in children(node, all) {
                self.node(child, all, depth, parent);
            }
            return;
        }
        let mut line = role.clone();
        if !name.is_empty() {
            line.push_str(&format!(" {}", Value::from(name.as_str())));
        }
        line.push_str(&states(node));
        let id = node.get("backendDOMNodeId").and_then(Value::as_i64);
        if let Some(id) = id.filter(|_| ACTIVE.contains(&role.as_str()) || (focusable && role != "Iframe")) {
            line.push_str(&format!(" [ref=e{}]", self.number(id)));
        }
        let value = short(&text(node, "/value/value"), NAME_CHARS);
        if !value.is_empty() && value != name {
            line.push_str(&format!(": {}", Value::from(value.as_str())));
        }
        if role == "link" {
            let to = property(node, "url").and_then(Value::as_str).unwrap_or_default();
            line.push_str(&format!(" -> {}", short(to, URL_CHARS)));
        }
        self.line(depth, &line);
        if let Some(frame) = id.and_then(|id| self.trees.frames.get(&id).filter(|_| self.seen.insert(id))) {
            self.tree(frame, depth.saturating_add(1));
        }
        let within = if name.is_empty() { value } else { name };
        for child in children(node, all) {
            self.node(child, all, depth.saturating_add(1), &within);
        }
    }

    fn line(&mut self, depth: usize, line: &str) {
        self.out.push_str(&"  ".repeat(depth));
        self.out.push_str("- ");
        self.out.push_str(line);
        self.out.push('\n');
    }

    fn number(&mut self, id: i64) -> usize {
        let at = self.shown.iter().position(|known| *known == id).unwrap_or_else(|| {
            self.shown.push(id);
            self.shown.len().saturating_sub(1)
        });
        at.saturating_add(1)
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
