//! Server-sent events, as they come off the wire: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.
//! Only `data` is read: whoever streams to us says inside it what kind of event it is.

/// Longest event taken. Models' providers send a few hundred bytes, a whole answer in one event stays far below.
const MAX_EVENT: usize = 4 * 1024 * 1024;

/// An event grew beyond [`MAX_EVENT`].
#[derive(Debug, PartialEq, Eq)]
pub struct Endless;

/// Takes bytes in pieces of any size and gives whole events.
#[derive(Default)]
pub struct Events {
    line: Vec<u8>,
    data: Option<String>,
    after_cr: bool,
    begun: bool,
}

impl Events {
    /// The `data` of every event that these bytes complete.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<String>, Endless> {
        let mut whole = Vec::new();
        if self.after_cr && !bytes.is_empty() {
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            self.after_cr = false;
        }
        while let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, rest) = bytes.split_at(end);
            self.line.extend_from_slice(line);
            bytes = match rest {
                [b'\r', b'\n', rest @ ..] | [b'\n', rest @ ..] => rest,
                [b'\r'] => {
                    // Whether a line feed belongs to it shows only with the next piece.
                    self.after_cr = true;
                    &[]
                }
                [_, rest @ ..] => rest,
                [] => &[],
            };
            whole.extend(self.end_line());
        }
        self.line.extend_from_slice(bytes);
        if self.line.len() + self.data.as_ref().map_or(0, String::len) > MAX_EVENT { Err(Endless) } else { Ok(whole) }
    }

    /// What the end of the stream completes: some servers leave out the last empty line.
    pub fn finish(&mut self) -> Option<String> {
        self.end_line().or_else(|| self.data.take())
    }

    fn end_line(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        let text = if self.begun { &text } else { text.strip_prefix('\u{feff}').unwrap_or(&text) };
        self.begun = true;
        if text.is_empty() {
            return self.data.take();
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        if field == "data" {
            let value = value.strip_prefix(' ').unwrap_or(value);
            match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(pieces: &[&[u8]]) -> Vec<String> {
        let mut parser = Events::default();
        let mut events: Vec<String> = pieces.iter().flat_map(|piece| parser.push(piece).unwrap()).collect();
        events.extend(parser.finish());
        events
    }

    #[test]
    fn every_line_ending_comment_and_field_of_the_standard_is_understood() {
        let wire = "\u{feff}data: one\n\n: comment\nevent: x\nid: 3\ndata:two\r\ndata:  three\r\n\r\nretry: 1\n\ndata\r\rdata: last";
        assert_eq!(events(&[wire.as_bytes()]), ["one", "two\n three", "", "last"]);
        for end in ["", "\n", "\r\n", "\n\n"] {
            assert_eq!(events(&[format!("data: a{end}").as_bytes()]), ["a"], "{end:?}");
        }
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut parser = Events::default();
        let piece = vec![b'x'; MAX_EVENT / 2];
        assert_eq!(parser.push(&piece), Ok(vec![]));
        assert_eq!(parser.push(b"\n"), Ok(vec![]), "a field nobody knows is dropped");
        let line = [b"data: ".as_slice(), &piece, b"\n"].concat();
        assert_eq!(parser.push(&line), Ok(vec![]));
        assert_eq!(parser.push(&line), Err(Endless));
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(
            lines in prop::collection::vec("(data: ?[a-zé:\u{1F980} ]{0,8}|: c|event: e|)", 0..12),
            ends in prop::collection::vec(prop::sample::select(vec!["\n", "\r\n", "\r"]), 12),
            cut in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let wire: String = lines.iter().zip(&ends).map(|(line, end)| format!("{line}{end}")).collect();
            let bytes = wire.as_bytes();
            let mut cuts: Vec<usize> = cut.iter().map(|index| index.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(events(&pieces), events(&[bytes]));
        }
    }
}
