//! The patch format of Codex, as OpenClaw has it: <https://docs.openclaw.ai/tools/apply-patch>.

const BEGIN: &str = "*** Begin Patch";
const END: &str = "*** End Patch";
const ADD: &str = "*** Add File: ";
const UPDATE: &str = "*** Update File: ";
const DELETE: &str = "*** Delete File: ";
const MOVE: &str = "*** Move to: ";
const LAST: &str = "*** End of File";

/// What is to become of one file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Add { path: String, text: String },
    Update { path: String, moved: Option<String>, hunks: Vec<Hunk> },
    Delete { path: String },
}

/// Lines that take the place of others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Hunk {
    /// A line that stands before them somewhere.
    after: Option<String>,
    old: Vec<String>,
    new: Vec<String>,
    /// Whether they are the end of the file.
    last: bool,
}

/// The changes of a patch.
pub(crate) fn parse(text: &str) -> Result<Vec<Change>, String> {
    let wrong = |line: usize, what: &str| format!("Line {line} of the patch: {what}. Nothing was changed.");
    let mut lines: Vec<&str> = text.trim().lines().map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    if lines.first().map(|line| line.trim()) != Some(BEGIN) {
        return Err(wrong(1, "it is not \"*** Begin Patch\""));
    }
    if lines.pop().map(str::trim) != Some(END) {
        return Err(wrong(lines.len().saturating_add(1), "it is not \"*** End Patch\""));
    }
    let mut changes = Vec::new();
    for (index, line) in lines.into_iter().enumerate().skip(1) {
        let number = index.saturating_add(1);
        if let Some(path) = line.strip_prefix(ADD) {
            changes.push(Change::Add { path: path.trim().to_owned(), text: String::new() });
        } else if let Some(path) = line.strip_prefix(UPDATE) {
            changes.push(Change::Update { path: path.trim().to_owned(), moved: None, hunks: Vec::new() });
        } else if let Some(path) = line.strip_prefix(DELETE) {
            changes.push(Change::Delete { path: path.trim().to_owned() });
        } else if let Some(to) = line.strip_prefix(MOVE) {
            match changes.last_mut() {
                Some(Change::Update { moved, hunks, .. }) if moved.is_none() && hunks.is_empty() => {
                    *moved = Some(to.trim().to_owned());
                }
                _ => return Err(wrong(number, "Move to stands right behind the Update File that it is about")),
            }
        } else {
            match changes.last_mut() {
                Some(Change::Add { text, .. }) => match line.strip_prefix('+') {
                    Some(line) => *text += &format!("{line}\n"),
                    None => return Err(wrong(number, "lines of a new file begin with +")),
                },
                Some(Change::Update { hunks, .. }) => {
                    take(hunks, line).map_err(|what| wrong(number, what))?;
                }
                Some(Change::Delete { .. }) => {
                    return Err(wrong(number, "nothing follows Delete File but the next file"));
                }
                None => return Err(wrong(number, "it is neither Add File, Update File nor Delete File")),
            }
        }
    }
    let idle = |change: &Change| matches!(change, Change::Update { moved: None, hunks, .. } if hunks.iter().all(Hunk::is_idle));
    if changes.is_empty() || changes.iter().any(idle) {
        return Err("The patch changes nothing.".to_owned());
    }
    Ok(changes)
}

impl Hunk {
    fn is_idle(&self) -> bool {
        self.old == self.new
    }
}

fn take(hunks: &mut Vec<Hunk>, line: &str) -> Result<(), &'static str> {
    if let Some(after) = line.strip_prefix("@@") {
        let after = after.trim();
        hunks.push(Hunk { after: (!after.is_empty()).then(|| after.to_owned()), ..Hunk::default() });
        return Ok(());
    }
    if hunks.is_empty() {
        hunks.push(Hunk::default());
    }
    let Some(hunk) = hunks.last_mut() else { return Ok(()) };
    if hunk.last {
        return Err("nothing follows *** End of File but the next hunk or file");
    }
    if line == LAST {
        hunk.last = true;
    } else if let Some(line) = line.strip_prefix('+') {
        hunk.new.push(line.to_owned());
    } else if let Some(line) = line.strip_prefix('-') {
        hunk.old.push(line.to_owned());
    } else if line.is_empty() || line.starts_with(' ') {
        // Models leave out the space of an empty line.
        let line = line.strip_prefix(' ').unwrap_or_default().to_owned();
        hunk.old.push(line.clone());
        hunk.new.push(line);
    } else {
        return Err("lines of a hunk begin with a space, - or +");
    }
    Ok(())
}

/// A text with its hunks applied, each behind the one before.
pub(crate) fn applied(text: &str, hunks: &[Hunk]) -> Result<String, String> {
    let ending = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut from = 0;
    for hunk in hunks {
        if let Some(after) = &hunk.after {
            let found = lines.iter().skip(from).position(|line| line.trim() == after);
            let found = found.ok_or_else(|| format!("no line is \"{after}\" there."))?;
            from = from.saturating_add(found).saturating_add(1);
        }
        let at = place(&lines, hunk, from)?;
        let end = at.saturating_add(hunk.old.len());
        lines.splice(at..end, hunk.new.iter().cloned());
        from = at.saturating_add(hunk.new.len());
    }
    let mut out = lines.join(ending);
    if !out.is_empty() {
        out.push_str(ending);
    }
    Ok(out)
}

/// Where the old lines of a hunk stand: exactly, else without regard to space at their ends.
fn place(lines: &[String], hunk: &Hunk, from: usize) -> Result<usize, String> {
    if hunk.old.is_empty() {
        return Ok(if hunk.after.is_some() && !hunk.last { from } else { lines.len() });
    }
    let exact = |a: &String, b: &String| a == b;
    let loose = |a: &String, b: &String| a.trim_end() == b.trim_end();
    let matching = |same: &dyn Fn(&String, &String) -> bool| -> Vec<usize> {
        let windows = lines.windows(hunk.old.len()).enumerate().skip(from);
        let same = |window: &[String]| window.iter().zip(&hunk.old).all(|(a, b)| same(a, b));
        windows.filter(|(_, window)| same(window)).map(|(at, _)| at).collect()
    };
    let mut found = matching(&exact);
    if found.is_empty() {
        found = matching(&loose);
    }
    if hunk.last {
        found.retain(|at| at.saturating_add(hunk.old.len()) == lines.len());
    }
    match found.first() {
        Some(at) => Ok(*at),
        None => {
            Err(format!("these lines are not there:\n{}\nRead the file and copy them exactly.", hunk.old.join("\n")))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn patched(text: &str, body: &str) -> Result<String, String> {
        let changes = parse(&format!("{BEGIN}\n{UPDATE}f\n{body}\n{END}"))?;
        match changes.as_slice() {
            [Change::Update { hunks, .. }] => applied(text, hunks),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn the_example_of_openclaw_is_read() {
        let patch = "*** Begin Patch\n*** Add File: path/to/file.txt\n+line 1\n+line 2\n*** Update File: src/app.ts\n\
                     @@ optional change context\n-old line\n+new line\n*** Update File: src/tail.ts\n@@\n+appended last line\n\
                     *** End of File\n*** End Patch";
        let changes = parse(patch).unwrap();
        let hunk = |after: Option<&str>, old: &[&str], new: &[&str], last| Hunk {
            after: after.map(str::to_owned),
            old: old.iter().map(|line| (*line).to_owned()).collect(),
            new: new.iter().map(|line| (*line).to_owned()).collect(),
            last,
        };
        assert_eq!(
            changes,
            [
                Change::Add { path: "path/to/file.txt".into(), text: "line 1\nline 2\n".into() },
                Change::Update {
                    path: "src/app.ts".into(),
                    moved: None,
                    hunks: vec![hunk(Some("optional change context"), &["old line"], &["new line"], false)],
                },
                Change::Update {
                    path: "src/tail.ts".into(),
                    moved: None,
                    hunks: vec![hunk(None, &[], &["appended last line"], true)]
                },
            ]
        );
    }

    #[test]
    fn hunks_are_applied_where_they_fit() {
        let text = "fn a\n  x\n}\nfn b\n  x\n}\n";
        assert_eq!(patched(text, "@@ fn b\n-  x\n+  y").unwrap(), "fn a\n  x\n}\nfn b\n  y\n}\n");
        assert_eq!(patched(text, "@@\n fn a\n-  x\n+  y\n@@\n-  x\n+  z").unwrap(), "fn a\n  y\n}\nfn b\n  z\n}\n");
        assert_eq!(patched(text, "@@\n-}\n+end\n*** End of File").unwrap(), "fn a\n  x\n}\nfn b\n  x\nend\n");
        assert_eq!(patched(text, "@@\n+last").unwrap(), format!("{text}last\n"));
        assert_eq!(patched("a\n\nb", " a\n\n-b\n+c").unwrap(), "a\n\nc\n");
        assert_eq!(patched("a  \nb\n", "-a\n+c").unwrap(), "c\nb\n");
        assert_eq!(patched("a\r\nb\r\n", "-b\n+c").unwrap(), "a\r\nc\r\n");
        assert_eq!(patched("a\n", "-a").unwrap(), "");
        for body in ["-q\n+r", "@@ fn c\n-  x\n+  y", "@@\n-fn a\n+y\n*** End of File", "@@\n-  x\n+1\n@@\n-fn a\n+2"] {
            assert!(patched(text, body).is_err(), "{body}");
        }
    }

    #[test]
    fn what_is_no_patch_says_where() {
        let wrong = |text: &str| parse(text).unwrap_err();
        assert!(wrong("*** Update File: x\n+y").contains("Begin Patch"));
        assert!(wrong("*** Begin Patch\n*** Update File: x\n+y").contains("End Patch"));
        assert!(wrong("*** Begin Patch\nfoo\n*** End Patch").contains("Line 2"));
        assert!(wrong("*** Begin Patch\n*** Add File: x\ny\n*** End Patch").contains("Line 3"));
        assert!(wrong("*** Begin Patch\n*** Update File: x\n@@\nzzz\n*** End Patch").contains("Line 4"));
        for misplaced in [
            "*** Delete File: x\n+y",
            "*** Move to: y",
            "*** Add File: x\n*** Move to: y",
            "*** Update File: x\n-a\n*** Move to: y",
        ] {
            assert!(wrong(&format!("*** Begin Patch\n{misplaced}\n*** End Patch")).starts_with("Line "), "{misplaced}");
        }
        for idle in ["", "*** Update File: x\n", "*** Update File: x\n@@\n same\n"] {
            assert!(wrong(&format!("*** Begin Patch\n{idle}*** End Patch")).contains("nothing"), "{idle}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}|[-+ @*\n a]{0,60}", body in "[-+ @*\n a]{0,60}") {
            let _ = parse(&text);
            let _ = patched(&text, &body);
        }
    }
}
