"""Follows docs/adding-a-channel.md literally, in a copy of the repository: every file it shows is written, every command
it marks with `run` is run."""

import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "adding-a-channel.md"
COPY = ROOT / "target" / "docs" / "adding-a-channel"
BLOCK = re.compile(r"^```(\w+) ([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def copy_repository() -> None:
    """What git knows and what is new; not what is built."""
    shutil.rmtree(COPY, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True
    )
    for name in listed.stdout.decode().split("\0"):
        source = ROOT / name
        if name and source.is_file():
            target = COPY / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


class AddingAChannel(unittest.TestCase):
    def test_the_guide_leads_to_a_channel_that_keeps_every_law(self) -> None:
        copy_repository()
        environment = os.environ | {"CARGO_TARGET_DIR": str(ROOT / "target"), "CARGO_TERM_COLOR": "never"}
        environment.pop("UPDATE", None)
        files = commands = 0
        output = ""
        for language, heading, text in BLOCK.findall(GUIDE.read_text()):
            if language == "sh" and heading == "run":
                script = "set -euo pipefail\n" + text
                done = subprocess.run(
                    ["bash", "-c", script], cwd=COPY, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
                )
                self.assertEqual(done.returncode, 0, f"{text}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}")
                output += done.stdout
                commands += 1
            elif language != "sh":
                path = COPY / heading
                self.assertFalse(path.exists(), f"{heading} is there already")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
                files += 1
        self.assertEqual((files, commands), (16, 2))
        # The laws ran, and the registry has the channel.
        for law in ["a_changed_body_is_refused", "each_refusal_has_its_fate", "mutated_bodies_never_panic"]:
            self.assertIn(f"test laws::channel::{law} ... ok", output)
        self.assertIn("every_channel_can_be_played ... ok", output)
        self.assertIn("chela_channel_toy::DESCRIPTOR", (COPY / "shared/channel-registry/src/lib.rs").read_text())


if __name__ == "__main__":
    unittest.main()
