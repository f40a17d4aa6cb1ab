//! What a page does not show to people is not shown to models either: it is where instructions for them are hidden.
//!
//! Only what the page says in the element itself is judged. Style sheets are not computed.

use dom_query::{Document, NodeRef};

/// What is never text for a reader.
const NEVER: &str = "script, style, noscript, noframes, noembed, template, iframe, frame, object, embed, svg, canvas, video, \
                     audio, map, dialog:not([open]), input, select, textarea, datalist, meter, progress, rp, annotation, \
                     annotation-xml, [hidden], [popover], [aria-hidden=\"true\" i], img[src^=\"data:\" i], img:not([alt]), \
                     img[alt=\"\"]";

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
        let declared = declarations(&style);
        let of_style = |names: &[&str]| declared.iter().rev().find(|(name, _)| names.contains(&name.as_str()));
        if let Some((_, value)) = of_style(&["-webkit-text-fill-color"]).or_else(|| of_style(&["color"])) {
            self.color = Some(color(value));
        } else if let Some(value) = node.attr("color").filter(|_| node.has_name("font")) {
            self.color = Some(color(&value));
        }
        if let Some((_, value)) = of_style(&["background", "background-color"]) {
            self.background = Some(color(value));
        } else if let Some(value) = node.attr("bgcolor") {
            self.background = Some(color(&value));
        }
        self
    }

    /// Whether words in this colour cannot be seen on this ground. A page that does not say is white.
    fn swallows(&self) -> bool {
        let ground = self.background.as_deref().unwrap_or("ffffff");
        self.color.as_deref().is_some_and(|color| color == "transparent" || are_alike(color, ground))
    }
}

/// Whether no eye tells two colours apart.
fn are_alike(one: &str, other: &str) -> bool {
    let parts = |color: &str| {
        let number = |at: usize| u8::from_str_radix(color.get(at..at.saturating_add(2))?, 16).ok();
        (color.len() == 6).then(|| Some([number(0)?, number(2)?, number(4)?])).flatten()
    };
    match (parts(one), parts(other)) {
        (Some(one), Some(other)) => one.iter().zip(other).all(|(one, other)| one.abs_diff(other) <= LIKE),
        _ => one == other,
    }
}

/// Most that red, green and blue of two colours differ that are one to the eye.
const LIKE: u8 = 12;

fn is_hidden(node: &NodeRef<'_>) -> bool {
    if node.class().is_some_and(|names| names.split_whitespace().any(|name| CLASSES.contains(&name))) {
        return true;
    }
    let Some(style) = node.attr("style") else { return false };
    // No page writes an escape there, but to be read in another way by those who look for words.
    if style.contains('\\') {
        return true;
    }
    let declared = declarations(&style);
    let clips = declared.iter().any(|(name, value)| name.starts_with("overflow") && value != "visible");
    declared.iter().any(|(name, value)| hides(name, value, clips))
}

/// Whether a declaration hides its element, in one whose content is cut at its edges or not.
fn hides(name: &str, value: &str, clips: bool) -> bool {
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
    let unit = value.strip_prefix(digits).unwrap_or_default();
    let number: Option<f64> = digits.parse().ok();
    let below = |least: f64| number.is_some_and(|n| n < least);
    let packed = value.replace([' ', ','], "");
    match name {
        "display" => value == "none",
        "visibility" => value == "hidden" || value == "collapse",
        "content-visibility" => value == "hidden",
        "opacity" => below(if unit == "%" { 5.1 } else { 0.051 }),
        "font-size" | "zoom" => match unit {
            "px" | "pt" => below(3.0),
            "%" | "vw" | "vh" => below(0.3),
            "em" | "rem" => below(0.2),
            _ => below(0.01),
        },
        // Nothing of it has room.
        "width" | "height" | "max-width" | "max-height" => clips && below(2.0),
        // Far off the screen.
        "left" | "right" | "top" | "bottom" | "text-indent" => {
            below(if ["", "px", "pt"].contains(&unit) { -899.0 } else { -99.0 })
        }
        "margin-left" | "margin-top" => below(if ["em", "rem", "vw", "vh"].contains(&unit) { -99.0 } else { -899.0 }),
        // Of a pixel nothing can be read, however it is written.
        "clip" => value.strip_prefix("rect(").and_then(|rest| rest.strip_suffix(')')).is_some_and(|edges| {
            let edges = edges.split([',', ' ']).filter(|edge| !edge.is_empty());
            edges.map(|edge| edge.trim_end_matches("px").parse::<f64>()).all(|edge| edge.is_ok_and(|n| n.abs() <= 1.0))
        }),
        "clip-path" => packed.starts_with("inset(50%") || packed.starts_with("inset(100%") || packed == "circle(0)",
        "filter" => packed.starts_with("opacity(0"),
        "transform" => packed.starts_with("scale(0") || packed.starts_with("translate") && packed.contains("(-9999"),
        _ => false,
    }
}

/// Names and values of an inline style, in lower case, without comments.
fn declarations(style: &str) -> Vec<(String, String)> {
    let mut plain = String::with_capacity(style.len());
    let mut rest = style;
    while let Some((before, after)) = rest.split_once("/*") {
        plain.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    let pairs = plain.split(';').filter_map(|pair| pair.split_once(':'));
    let pairs = pairs.map(|(name, value)| {
        let value = value.to_ascii_lowercase().replace("!important", "");
        (name.trim().to_ascii_lowercase(), value.trim().to_owned())
    });
    pairs.collect()
}

/// A colour as six hexadecimal digits where it is one of the usual ways to write black, white or any `#…`, `rgb(…)` or
/// grey; else its first word.
fn color(value: &str) -> String {
    let value = value.trim().to_ascii_lowercase();
    let Some((name, inner)) = value.split_once('(').filter(|(name, _)| ["rgb", "rgba", "hsl", "hsla"].contains(name))
    else {
        let word = value.split_whitespace().next().unwrap_or_default();
        return match (word, word.strip_prefix('#')) {
            ("white", _) => "ffffff".to_owned(),
            ("black", _) => "000000".to_owned(),
            (_, Some(hex)) => match hex.len() {
                3 => hex.chars().flat_map(|c| [c, c]).collect(),
                4 | 8 if hex.ends_with('0') && (hex.len() == 4 || hex.ends_with("00")) => "transparent".to_owned(),
                _ => hex.chars().take(6).collect(),
            },
            _ => word.to_owned(),
        };
    };
    let inner = inner.split(')').next().unwrap_or_default();
    let parts: Vec<&str> = inner.split([',', '/', ' ']).filter(|part| !part.is_empty()).collect();
    let faint = |alpha: &&str| {
        let number: Option<f64> = alpha.trim_end_matches('%').parse().ok();
        number.is_some_and(|alpha_is| alpha_is <= if alpha.ends_with('%') { 5.0 } else { 0.05 })
    };
    if parts.get(3).is_some_and(faint) {
        return "transparent".to_owned();
    }
    match (name.starts_with("hsl"), parts.get(2)) {
        (true, Some(&"100%")) => "ffffff".to_owned(),
        (true, Some(&"0%")) => "000000".to_owned(),
        (true, _) => value,
        (false, _) => parts.iter().take(3).map(|part| format!("{:02x}", channel(part))).collect(),
    }
}

/// Red, green or blue, of 255 or in percent.
fn channel(text: &str) -> u8 {
    let number: f64 = text.trim_end_matches('%').parse().unwrap_or_default();
    let number = if text.ends_with('%') { number * 2.55 } else { number };
    number.clamp(0.0, 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_seen(body: &str) -> bool {
        let document = Document::from(format!("<body>{body}</body>"));
        remove(&document);
        document.text().contains("WORDS")
    }

    #[test]
    fn i15_what_an_element_hides_is_gone_and_what_it_shows_stays() {
        for style in [
            "clip: rect(1px, 1px, 1px, 1px)",
            "clip:rect(0 0 0 0)",
            "height:0;overflow:hidden",
            "max-height:0px; overflow-y: clip",
            "width:1px;height:1px;overflow:hidden",
            "color:#fefefe",
            "color: rgb(255 255 255)",
            "color: rgb(100%, 100%, 99%)",
            "color: hsl(0, 0%, 100%)",
            "color: rgb(0 0 0 / 0)",
            "color: rgb(0 0 0 / 3%)",
            "-webkit-text-fill-color: transparent",
            "font-size:.01em",
            "font-size: 0.5pt",
            "opacity: 0%",
            "opacity: .01 !important",
            "left:-100vw",
            "text-indent:-999em",
            "transform: translateX(-9999px)",
            "filter: opacity(0)",
            "display/**/:/* no */none",
            "disp\\6cay:none",
            "DISPLAY : NONE",
        ] {
            assert!(!is_seen(&format!("<p style=\"{style}\">WORDS</p>")), "{style}");
        }
        for style in [
            "color:#222",
            "color:rgb(34 34 34 / 90%)",
            "color:hsl(210, 50%, 40%)",
            "background:navy url(x.png);color:white",
            "font-size:.8em",
            "font-size:80%",
            "width:100%;overflow:hidden",
            "max-height:600px;overflow-y:auto",
            "height:1px",
            "opacity:.9",
            "margin-left:-100%",
            "left:-20px",
            "clip:rect(0,100px,100px,0)",
            "transform:scale(1.5)",
        ] {
            assert!(is_seen(&format!("<p style=\"{style}\">WORDS</p>")), "{style}");
        }
        for element in ["video", "audio", "noframes", "meter", "p popover", "dialog", "math><annotation"] {
            let name = element.split([' ', '>']).next().unwrap_or_default();
            assert!(!is_seen(&format!("<{element}>WORDS</{name}>")), "{element}");
        }
        for attribute in ["title", "aria-label", "data-x", "placeholder"] {
            assert!(!is_seen(&format!("<p {attribute}=\"WORDS\">x</p>")), "{attribute}");
        }
    }
}
