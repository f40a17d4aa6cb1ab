//! What a page does not show to people is not shown to models either: it is where instructions for them are hidden.
//!
//! Only what the page says in the element itself is judged. Style sheets are not computed.

use dom_query::{Document, NodeRef};

/// What is never text for a reader.
const NEVER: &str = "script, style, noscript, template, iframe, frame, object, embed, svg, canvas, map, dialog:not([open]), \
                     input, select, textarea, datalist, [hidden], [aria-hidden=\"true\" i], img[src^=\"data:\" i], \
                     img:not([alt]), img[alt=\"\"]";

/// Classes by which every large style sheet hides text from eyes.
const CLASSES: [&str; 6] =
    ["sr-only", "visually-hidden", "visuallyhidden", "screen-reader-text", "d-none", "invisible"];

/// Deepest element that is read. What reads pages calls itself, and no person's page nests like this.
const DEEPEST: usize = 250;

/// Takes out of the page what nobody sees.
pub(crate) fn remove(document: &Document) {
    document.select(NEVER).remove();
    let mut unseen = Vec::new();
    let mut waiting: Vec<(NodeRef<'_>, usize, Ground)> = vec![(document.root(), 0, Ground::default())];
    while let Some((node, depth, ground)) = waiting.pop() {
        let ground = if node.is_element() { ground.of(&node) } else { ground };
        if node.is_comment() || depth > DEEPEST || (node.is_element() && (is_hidden(&node) || ground.swallows())) {
            unseen.push(node);
            continue;
        }
        let children = node.children_it(false);
        waiting.extend(children.map(|child| (child, depth.saturating_add(1), ground.clone())));
    }
    for node in unseen {
        node.remove_from_parent();
    }
}

/// The colours that the elements themselves set.
#[derive(Clone, Default)]
struct Ground {
    color: Option<String>,
    background: Option<String>,
}

impl Ground {
    fn of(mut self, node: &NodeRef<'_>) -> Self {
        let style = node.attr("style").unwrap_or_default();
        let of_style = |names: &[&str]| declarations(&style).filter(|(name, _)| names.contains(&name.as_str())).last();
        if let Some((_, value)) = of_style(&["color"]) {
            self.color = Some(color(&value));
        } else if let Some(value) = node.attr("color").filter(|_| node.has_name("font")) {
            self.color = Some(color(&value));
        }
        if let Some((_, value)) = of_style(&["background", "background-color"]) {
            self.background = Some(color(value.split_whitespace().next().unwrap_or_default()));
        } else if let Some(value) = node.attr("bgcolor") {
            self.background = Some(color(&value));
        }
        self
    }

    /// Whether words in this colour cannot be seen on this ground. A page that does not say is white.
    fn swallows(&self) -> bool {
        let ground = self.background.as_deref().unwrap_or("ffffff");
        self.color.as_deref().is_some_and(|color| color == ground || color == "transparent")
    }
}

fn is_hidden(node: &NodeRef<'_>) -> bool {
    if node.class().is_some_and(|names| names.split_whitespace().any(|name| CLASSES.contains(&name))) {
        return true;
    }
    let Some(style) = node.attr("style") else { return false };
    declarations(&style).any(|(name, value)| {
        let number: Option<f64> = value.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%').parse().ok();
        match name.as_str() {
            "display" => value == "none",
            "visibility" => value == "hidden" || value == "collapse",
            "content-visibility" => value == "hidden",
            "opacity" => number.is_some_and(|n| n <= 0.05),
            "font-size" => {
                number.is_some_and(|n| n <= 0.0) || (value.ends_with("px") && number.is_some_and(|n| n < 3.0))
            }
            // Far off the screen.
            "left" | "right" | "top" | "margin-left" | "text-indent" => number.is_some_and(|n| n <= -900.0),
            "clip" => value.replace([' ', ','], "").starts_with("rect(0"),
            "clip-path" => {
                value.replace(' ', "").starts_with("inset(50%") || value.replace(' ', "").starts_with("inset(100%")
            }
            "transform" => value.replace(' ', "").starts_with("scale(0"),
            _ => false,
        }
    })
}

/// Names and values of an inline style, in lower case.
fn declarations(style: &str) -> impl Iterator<Item = (String, String)> {
    let pairs = style.split(';').filter_map(|pair| pair.split_once(':'));
    pairs.map(|(name, value)| {
        let value = value.to_ascii_lowercase().replace("!important", "");
        (name.trim().to_ascii_lowercase(), value.trim().to_owned())
    })
}

/// A colour as six hexadecimal digits where it is one of the usual ways to write black, white or any `#…` and `rgb(…)`;
/// else as it is written.
fn color(value: &str) -> String {
    let value: String = value.trim().to_ascii_lowercase().chars().filter(|c| !c.is_whitespace()).collect();
    match value.as_str() {
        "white" => return "ffffff".to_owned(),
        "black" => return "000000".to_owned(),
        _ => {}
    }
    if let Some(hex) = value.strip_prefix('#') {
        return match hex.len() {
            3 => hex.chars().flat_map(|c| [c, c]).collect(),
            4 | 8 if hex.ends_with('0') && (hex.len() == 4 || hex.ends_with("00")) => "transparent".to_owned(),
            _ => hex.chars().take(6).collect(),
        };
    }
    let Some(inner) = value.strip_prefix("rgba(").or_else(|| value.strip_prefix("rgb(")) else { return value };
    let parts: Vec<&str> = inner.trim_end_matches(')').split([',', '/']).collect();
    if parts.get(3).and_then(|alpha| alpha.parse::<f64>().ok()).is_some_and(|alpha| alpha <= 0.05) {
        return "transparent".to_owned();
    }
    parts.iter().take(3).map(|part| format!("{:02x}", part.parse::<u8>().unwrap_or_default())).collect()
}
