"""docs/reliability.md: what can go wrong, what is promised then, and which tests say so. Made from what a test run left:

  target/nextest/default/junit.xml   how each test ended
  target/reports/*.json              what the models, the exploration and the simulation found (CHELA_REPORT_DIR)

  python3 -m unittest discover -s tests/docs -p reliability.py      compares the page's table of faults with the run
  UPDATE=1 python3 -m unittest discover -s tests/docs -p reliability.py   writes the page anew

Without a run (no junit.xml) the named tests are only looked for in the sources.
"""

import json
import os
import re
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "reliability.md"
FAULTS = json.loads((ROOT / "tests" / "docs" / "faults.json").read_text())
JUNIT = ROOT / "target" / "nextest" / "default" / "junit.xml"
REPORTS = ROOT / "target" / "reports"
BEGIN, END = "<!-- made from a test run: begin -->\n", "<!-- made from a test run: end -->\n"


def results():
    """How the tests of the last run ended, by the last part of their names; None without a run."""
    if not JUNIT.exists():
        return None
    ended = {}
    for case in ElementTree.parse(JUNIT).getroot().iter("testcase"):
        bad = case.find("failure") is not None or case.find("error") is not None
        name = case.get("name").split("::")[-1]
        ended[name] = "failed" if bad or ended.get(name) == "failed" else "passed"
    return ended


def sources():
    folders = ("shared", "functions", "cli", "tests", "bench")
    files = (file for folder in folders for file in (ROOT / folder).rglob("*.rs"))
    return "\n".join(file.read_text(errors="replace") for file in files)


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def fault_table(ended):
    rows = []
    for row in FAULTS:
        states = {ended.get(name, "not run") for name in row["tests"]} if ended else {"passed"}
        result = "**no test**" if not row["tests"] else "passed" if states == {"passed"} else ", ".join(sorted(states))
        tests = "<br>".join(f"`{name}`" for name in row["tests"])
        rows.append([row["fault"], row["what"], row["promises"], row["by"], tests, result])
    return table(["", "Fault", "Promises", "By", "Tests", "Result"], rows)


def report(name):
    file = REPORTS / f"{name}.json"
    return json.loads(file.read_text()) if file.exists() else None


def made(ended):
    page = "## The table of faults\n\n" + fault_table(ended)
    if designs := report("protocol"):
        rows = [[d["design"], f"{d['states']:,}", ", ".join(d["violations"]) or "none"] for d in designs]
        page += "\n## Designs on paper, explored exhaustively\n\n" + table(["Design", "States", "Violations"], rows)
    if scopes := report("exhaustive"):
        rows = [
            [s["scope"], s["mutant"] or "", f"{s['states']:,}", s["found_violation"] or "none"]
            for s in sorted(scopes, key=lambda s: (bool(s["mutant"]), s["scope"]))
        ]
        page += "\n## The real turn, explored exhaustively\n\nA protection that is taken away in the world (a mutant) must be found.\n\n"
        page += table(["Scope", "Mutant", "States", "Violation"], rows)
        stories = [s for s in scopes if s["mutant"] and s["found_violation"]]
        for s in stories:
            steps = "".join(f"{step}\n" for step in s["story"])
            page += f"\n<details><summary>The shortest story of {s['mutant']}</summary>\n\n{steps}\n</details>\n"
    if simulation := report("simulation"):
        page += "\n## The simulation\n\n```json\n" + json.dumps(simulation, indent=1, sort_keys=True) + "\n```\n"
    return page


class Reliability(unittest.TestCase):
    maxDiff = None

    def test_every_named_test_is_there(self):
        text = sources()
        for row in FAULTS:
            for name in row["tests"]:
                self.assertRegex(text, rf"fn {name}\b", f"{row['fault']} names a test that is not there")

    def test_every_fault_is_in_the_table(self):
        self.assertEqual([row["fault"] for row in FAULTS], [f"F{number:02}" for number in range(1, 45)])

    def test_the_page_says_what_the_run_showed(self):
        ended = results()
        before, rest = PAGE.read_text().split(BEGIN)
        _, after = rest.split(END)
        if os.environ.get("UPDATE"):
            PAGE.write_text(before + BEGIN + made(ended) + END + after)
        if ended:
            bad = [name for row in FAULTS for name in row["tests"] if ended.get(name, "passed") != "passed"]
            self.assertEqual(bad, [], "tests of the table failed")
        self.assertIn(fault_table(None), PAGE.read_text(), "run this with UPDATE=1 after a test run")
