//! What is new in an answer: without the message it answers, which every client repeats below (or above) in its own way,
//! and without the signature.
//!
//! Three forms are known: lines that begin with `>` after a line that says who wrote them, Outlook's header block without
//! any mark, and a line that says who wrote what follows. Text between quoted lines is left where it is: it means nothing
//! without them.

/// Lines that may follow a signature's mark; more are part of the message.
const LONGEST_SIGNATURE: usize = 12;

/// Lines over which clients break "On …, … wrote:".
const LONGEST_ATTRIBUTION: usize = 4;

/// The longest such line.
const LONGEST_ATTRIBUTION_CHARS: usize = 400;

/// "wrote", as clients of many languages end the line before a quotation.
const WROTE: &[&str] = &[
    "wrote",
    "writes",
    "schrieb",
    "schreibt",
    "a écrit",
    "escribió",
    "escreveu",
    "ha scritto",
    "schreef",
    "skrev",
    "kirjoitti",
    "napisał",
    "napisał(a)",
    "napsal",
    "napsal(a)",
    "írta",
    "yazdı",
    "a scris",
    "написал",
    "написала",
    "пишет",
    "wrote (gmt)",
    "写道",
    "のメール",
    "작성",
];

/// "From", as Outlook begins the header block of the message before.
const FROM: &[&str] = &[
    "from",
    "von",
    "de",
    "da",
    "van",
    "från",
    "fra",
    "lähettäjä",
    "od",
    "feladó",
    "от",
    "gönderen",
    "发件人",
    "寄件者",
    "差出人",
    "보낸 사람",
];

/// Lines that stand before the message before.
const ORIGINAL: &[&str] = &[
    "original message",
    "ursprüngliche nachricht",
    "originalnachricht",
    "message d'origine",
    "message original",
    "mensaje original",
    "messaggio originale",
    "mensagem original",
    "oorspronkelijk bericht",
    "ursprungligt meddelande",
    "исходное сообщение",
    "wiadomość oryginalna",
    "reply message",
    "原始邮件",
    "元のメッセージ",
];

/// How phones and their like end a message.
const SENT_FROM: &[&str] = &[
    "sent from my ",
    "sent from mail for ",
    "sent from outlook",
    "sent from yahoo",
    "sent from proton",
    "sent with proton",
    "sent via ",
    "get outlook for ",
    "von meinem ",
    "gesendet von ",
    "envoyé de mon ",
    "envoyé depuis ",
    "enviado desde mi ",
    "enviado do meu ",
    "inviato da ",
    "verzonden vanaf ",
    "skickat från min ",
    "отправлено с ",
];

/// The new part of an answer; empty where it only repeats.
pub(crate) fn newest(whole: &str) -> String {
    let lines: Vec<&str> = whole.lines().map(str::trim_end).collect();
    // A signature at the very end stands below what is repeated; else it is found once that is gone.
    let signed = unsigned(&lines);
    let below = lines.get(signed.len()..).unwrap_or_default();
    let lines = if below.iter().any(|line| is_quoted(line)) { lines.as_slice() } else { signed };
    let above = lines.get(..tail(lines)).unwrap_or_default();
    let fresh = above.get(head(above)..).unwrap_or_default();
    text(unsigned(fresh))
}

/// A message that answers nothing, without its signature.
pub(crate) fn without_signature(whole: &str) -> String {
    let lines: Vec<&str> = whole.lines().map(str::trim_end).collect();
    text(unsigned(&lines))
}

/// Whether a subject says that the message passes another one on: then that one is what it is about.
pub(crate) fn is_forwarded(subject: &str) -> bool {
    let subject = subject.trim_start().to_lowercase();
    ["fw:", "fwd:", "wg:", "tr:", "rv:", "enc:", "i:", "vs:", "doorst:", "转发:", "转发：", "転送:"]
        .iter()
        .any(|mark| subject.starts_with(mark))
}

fn text(lines: &[&str]) -> String {
    lines.join("\n").trim_matches('\n').trim_end().to_owned()
}

fn is_quoted(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

/// Where the repeated message begins that ends the text.
fn tail(lines: &[&str]) -> usize {
    let unmarked = (0..lines.len()).find(|at| begins_original(lines, *at)).unwrap_or(lines.len());
    let lines = lines.get(..unmarked).unwrap_or_default();
    let Some(last) = lines.iter().rposition(|line| !line.is_empty()) else { return 0 };
    if !lines.get(last).is_some_and(|line| is_quoted(line)) {
        return unmarked;
    }
    // Upwards over the quoted lines, and over gaps between them.
    let unquoted = lines.iter().take(last).rposition(|line| !line.is_empty() && !is_quoted(line));
    let Some(above) = unquoted else { return 0 };
    attribution_ending(lines, above).unwrap_or_else(|| above.saturating_add(1))
}

/// Where the new text begins, if the text begins with what it answers.
fn head(lines: &[&str]) -> usize {
    let Some(first) = lines.iter().position(|line| !line.is_empty()) else { return 0 };
    let quoted = |line: &&str| is_quoted(line);
    let Some(begin) = lines.iter().position(quoted) else { return 0 };
    let only_attribution = begin == first
        || lines
            .get(..begin)
            .and_then(|above| above.iter().rposition(|line| !line.is_empty()))
            .is_some_and(|end| attribution_ending(lines, end) == Some(first));
    let after = lines.iter().skip(begin).position(|line| !line.is_empty() && !is_quoted(line));
    let Some(after) = after.map(|after| begin.saturating_add(after)) else { return 0 };
    // With more quotations further down the author answers piece by piece.
    let piecewise = lines.iter().skip(after).any(quoted);
    if only_attribution && !piecewise { after } else { 0 }
}

/// The first line of "On …, … wrote:", if line `end` is its last one.
fn attribution_ending(lines: &[&str], end: usize) -> Option<usize> {
    let last = lines.get(end)?;
    if !last.ends_with([':', '：']) {
        return None;
    }
    let first = end.saturating_sub(LONGEST_ATTRIBUTION.saturating_sub(1));
    let begin = (first..end).rev().take_while(|at| lines.get(*at).is_some_and(|line| !line.is_empty())).last();
    // The shortest run of lines that names somebody and a time.
    (begin.unwrap_or(end)..=end).rev().find(|at| {
        let said = lines.get(*at..=end).unwrap_or_default().join(" ");
        said.chars().count() <= LONGEST_ATTRIBUTION_CHARS && names_somebody(&said)
    })
}

/// A time has digits; who wrote has an address, or there is a word for writing.
fn names_somebody(said: &str) -> bool {
    said.contains(|c: char| c.is_numeric()) && (said.contains('@') || ends_with_wrote(said))
}

fn ends_with_wrote(said: &str) -> bool {
    let said = said.trim_end_matches([':', '：', ' ']).to_lowercase();
    WROTE.iter().any(|wrote| said.ends_with(wrote)) || (said.starts_with("am ") && said.contains(" schrieb "))
}

/// Whether the message before begins at line `at` without any mark before its own lines.
fn begins_original(lines: &[&str], at: usize) -> bool {
    let Some(line) = lines.get(at).map(|line| line.trim()) else { return false };
    let titled = line.starts_with("--") && line.ends_with("--") && {
        let title = line.trim_matches(|c: char| c == '-' || c.is_whitespace()).to_lowercase();
        ORIGINAL.contains(&title.as_str())
    };
    if titled || is_header_block(lines, at) {
        return true;
    }
    // Outlook's line above its header block.
    if line.len() >= 20 && line.chars().all(|c| c == '_') {
        let next = lines.iter().enumerate().skip(at.saturating_add(1)).find(|(_, line)| !line.is_empty());
        return next.is_some_and(|(next, _)| is_header_block(lines, next));
    }
    // "On …, … wrote:" over one or more lines, and then anything; but not in the midst of a text.
    let alone = at == 0 || lines.get(at.saturating_sub(1)).is_some_and(|above| above.is_empty());
    alone
        && (at..at.saturating_add(LONGEST_ATTRIBUTION)).any(|end| {
            let said = lines.get(at..=end).unwrap_or_default();
            let unbroken = said.iter().all(|line| !line.is_empty() && !is_quoted(line));
            // Marked lines below are seen as such, and text may follow them.
            let marked = || {
                let below = lines.iter().skip(end.saturating_add(1)).find(|line| !line.is_empty());
                below.is_some_and(|line| is_quoted(line))
            };
            let said = said.join(" ");
            let opens = ["on ", "am ", "le ", "el ", "il ", "em ", "op ", "den ", "w dniu ", "dne "];
            let lower = said.to_lowercase();
            unbroken
                && said.ends_with(':')
                && said.chars().count() <= LONGEST_ATTRIBUTION_CHARS
                && opens.iter().any(|open| lower.starts_with(open))
                && said.contains(|c: char| c.is_ascii_digit())
                && ends_with_wrote(&said)
                && !marked()
        })
}

/// `From: …` and at least two more such lines.
fn is_header_block(lines: &[&str], at: usize) -> bool {
    let field = |line: &str| {
        let line = line.replace('*', "");
        let (name, value) = line.split_once([':', '：'])?;
        let name = name.trim().to_lowercase();
        (!name.is_empty() && name.chars().count() <= 20 && !value.trim().is_empty()).then_some(name)
    };
    let Some(name) = lines.get(at).and_then(|line| field(line)) else { return false };
    FROM.contains(&name.as_str())
        && (1..=2).all(|further| lines.get(at.saturating_add(further)).is_some_and(|line| field(line).is_some()))
}

/// Without the signature, or a phone's last line.
fn unsigned<'a, 'l>(lines: &'a [&'l str]) -> &'a [&'l str] {
    let marked = lines.iter().rposition(|line| *line == "--");
    let lines = match marked {
        Some(at) if lines.len().saturating_sub(at) <= LONGEST_SIGNATURE => lines.get(..at).unwrap_or_default(),
        _ => lines,
    };
    let Some(last) = lines.iter().rposition(|line| !line.is_empty()) else { return lines };
    let line = lines.get(last).map(|line| line.to_lowercase()).unwrap_or_default();
    let phone = line.chars().count() <= 80 && SENT_FROM.iter().any(|begin| line.starts_with(begin));
    if phone { lines.get(..last).unwrap_or_default() } else { lines }
}

#[cfg(test)]
mod tests;
