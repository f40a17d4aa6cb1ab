"""What the pages promise: links lead somewhere, files, make targets and `chela` commands they name are there.

  python3 -m unittest discover -s tests/docs -p check.py

A finding is `file:line: what`. The commands are asked of target/debug/chela, or of $CHELA; without it that part is skipped.
"""

import functools
import os
import re
import subprocess
import unittest
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent.parent
CHELA = Path(os.environ.get("CHELA") or ROOT / "target" / "debug" / "chela")
ELSEWHERE = {"target", "node_modules", ".git", ".tools", ".chela"}

FENCE = re.compile(r"^ *(```|~~~)")
SPAN = re.compile(r"(`+)(.+?)\1")
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
# Folders whose files pages name by their whole path. Others are named as seen from the page's own crate.
FILE = re.compile(r"(?:cli|functions|infra|shared|events|tools|bench|docs)/[\w./-]*\w")
EXAMPLE = re.compile(r"(^|[/-])toy([/.]|$)")  # the invented channel of docs/adding-a-channel.md
# Where a command begins: `make` is also a package to install, and `/chela hi` something to say in Slack.
MAKE = re.compile(r"(?:^\s*|[;&|(]\s*|\w=\S* +)make (?:[A-Z_]+=\S* +)*([a-z][a-z-]*)", re.MULTILINE)
COMMAND = re.compile(r"(?:^|[\s;&|(]|\w/)chela ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?")


def pages():
    for folder, names, files in os.walk(ROOT):
        names[:] = sorted(name for name in names if name not in ELSEWHERE)
        yield from (Path(folder) / file for file in sorted(files) if file.endswith(".md"))


def lines(text):
    """Number, prose and code of each line: links count in prose, commands in code."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if FENCE.match(line):
            fenced = not fenced
        elif fenced:
            yield number, "", line
        else:
            yield number, SPAN.sub("", line), "\n".join(match[2] for match in SPAN.finditer(line))


def anchors(text):
    """The anchors a page has, as GitHub makes them from its headings."""
    found = set()
    fenced = False
    for line in text.splitlines():
        if FENCE.match(line):
            fenced = not fenced
        heading = not fenced and re.match(r"#{1,6}\s+(.+?)\s*#*$", line)
        if heading:
            words = re.sub(r"[^\w\- ]", "", LINK.sub(lambda link: link[0][1:].split("]")[0], heading[1]).lower())
            anchor, again = words.replace(" ", "-"), 0
            while anchor in found:
                again += 1
                anchor = f"{words.replace(' ', '-')}-{again}"
            found.add(anchor)
    return found


def broken_links(page, text):
    for number, prose, _ in lines(text):
        for match in LINK.finditer(prose):
            target, _, anchor = unquote(match[1]).partition("#")
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            file = (page.parent / target).resolve() if target else page
            if not file.exists():
                yield f"{page}:{number}: there is no {target}"
            elif anchor and file.suffix == ".md" and anchor not in anchors(text if file == page else file.read_text()):
                yield f"{page}:{number}: {target or 'this page'} has no heading #{anchor}"


def missing_files(page, text):
    for number, _, code in lines(text):
        for word in code.split():
            word = word.strip("\"'(),;:")
            if FILE.fullmatch(word.rstrip("/")) and not EXAMPLE.search(word):
                if not any((folder / word).exists() for folder in (ROOT, page.parent)):
                    yield f"{page}:{number}: there is no {word}"


def unknown_targets(page, text, known):
    for number, _, code in lines(text):
        for match in MAKE.finditer(code):
            if match[1] not in known:
                yield f"{page}:{number}: the Makefile has no target {match[1]}"


def unknown_commands(page, text, known):
    """`known` gives the subcommands below some words; none if the last word takes no more of them."""
    for number, _, code in lines(text):
        for match in COMMAND.finditer(code):
            first, second = match[1], match[2]
            if first not in known():
                yield f"{page}:{number}: there is no `chela {first}`"
            elif second and known(first) and second not in known(first):
                yield f"{page}:{number}: there is no `chela {first} {second}`"


def targets():
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@functools.cache
def commands(*words):
    said = subprocess.run([CHELA, *words, "--help"], capture_output=True, text=True, check=True).stdout
    _, _, listed = said.partition("\nCommands:\n")
    return set(re.findall(r"^  ([a-z][a-z-]*)", listed.split("\n\n")[0], re.MULTILINE))


class Pages(unittest.TestCase):
    def assert_none(self, find, *more):
        found = [finding for page in pages() for finding in find(page, page.read_text(), *more)]
        self.assertFalse(found, "\n" + "\n".join(finding.removeprefix(f"{ROOT}/") for finding in found))

    def test_every_link_leads_somewhere(self):
        self.assert_none(broken_links)

    def test_every_file_that_is_named_exists(self):
        self.assert_none(missing_files)

    def test_every_make_target_exists(self):
        self.assert_none(unknown_targets, targets())

    def test_every_command_exists(self):
        if not CHELA.exists():
            self.skipTest(f"{CHELA} is not built")
        self.assert_none(unknown_commands, commands)


class Finder(unittest.TestCase):
    """The checks see what they are for, and nothing else."""

    PAGE = ROOT / "README.md"

    def found(self, find, text, *more):
        return [finding.split(": ", 1)[1] for finding in find(self.PAGE, text, *more)]

    def test_finds_links_to_nothing(self):
        text = "# A b: `c`\n[x](Makefile) [y](#a-b-c) [z](https://x.y/#q) `[no](link)`\n[v](nothing.md) [w](#elsewhere)\n"
        self.assertEqual(self.found(broken_links, text), ["there is no nothing.md", "this page has no heading #elsewhere"])
        self.assertEqual(self.found(broken_links, "```\n[x](nothing.md)\n```\n"), [])

    def test_counts_equal_headings(self):
        self.assertEqual(anchors("# A\n## A\n```\n# B\n```\n## [C](x) d\n"), {"a", "a-1", "c-d"})

    def test_finds_files_that_are_gone(self):
        text = "`infra/base.yaml` `infra/gone.yaml` infra/prose.yaml\n```sh\ntools/emulator start\ntools/gone start\n```\n"
        self.assertEqual(self.found(missing_files, text), ["there is no infra/gone.yaml", "there is no tools/gone"])
        self.assertEqual(self.found(missing_files, "`events/toy/text.json` `events/<channel>/x`"), [])

    def test_finds_targets_that_are_gone(self):
        text = "`make run`, `QUICK=1 make vanish` and make nothing\n```\ncd x && make ARCH=arm64 gone\napt install make git\n```\n"
        found = ["the Makefile has no target vanish", "the Makefile has no target gone"]
        self.assertEqual(self.found(unknown_targets, text, {"run"}), found)

    def test_finds_commands_that_are_gone(self):
        def known(*words):
            return {(): {"run", "channels"}, ("channels",): {"list"}}.get(words, set())

        text = "`chela run now` `target/debug/chela channels list` `/chela hi` chela sleep\n```\nchela sleep\nchela channels lost\n```\n"
        found = ["there is no `chela sleep`", "there is no `chela channels lost`"]
        self.assertEqual(self.found(unknown_commands, text, known), found)


if __name__ == "__main__":
    unittest.main()
