"""The scripts of tools/ that nothing else here runs."""

import os
import subprocess
import unittest
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def script(name):
    loader = SourceFileLoader(name, str(ROOT / "tools" / name))
    module = module_from_spec(spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


class Deny(unittest.TestCase):
    RULES = {"licenses": {"allow": ["MIT", "ISC"]}, "bans": {"deny": [{"crate": "openssl", "reason": "one TLS stack"}]}}

    def crate(self, **change):
        package = {"id": "x", "name": "x", "version": "1.0.0", "license": "MIT", "source": "registry+somewhere"} | change
        return {"packages": [package], "resolve": {"nodes": [{"id": "x"}]}}

    def found(self, **change):
        return list(script("deny").problems(self.RULES, self.crate(**change)))

    def test_lets_a_good_crate_in(self):
        self.assertEqual(self.found(), [])
        self.assertEqual(self.found(source=None, license=None), [])  # our own

    def test_keeps_others_out(self):
        self.assertIn("one TLS stack", self.found(name="openssl")[0])
        self.assertIn("GPL", self.found(license="GPL-3.0")[0])
        self.assertIn("None", self.found(license=None)[0])
        self.assertIn("git", self.found(source="git+somewhere")[0])

    def test_reads_licence_expressions(self):
        accepted = script("deny").accepted
        for expression in ("MIT", "GPL-3.0 OR MIT", "MIT/GPL-3.0", "MIT AND ISC", "(GPL-3.0 OR MIT) AND ISC", "GPL-3.0 AND ISC OR MIT"):
            self.assertTrue(accepted(expression, {"MIT", "ISC"}), expression)
        for expression in ("GPL-3.0", "MIT AND GPL-3.0", "GPL-3.0 AND (MIT OR ISC)", "MIT WITH some-exception"):
            self.assertFalse(accepted(expression, {"MIT", "ISC"}), expression)


class Size(unittest.TestCase):
    def test_large_zips_are_errors(self):
        wrong = script("size").too_large
        self.assertEqual(list(wrong({"webhook": 5.9, "agent": 9.9, "api": 40.0})), [])
        self.assertEqual(list(wrong({"agent": 10.25})), ["the zip of agent has 10.25 MB, and 10 are allowed"])


class Deploy(unittest.TestCase):
    def deploy(self, *arguments, **environment):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return subprocess.run([ROOT / "tools/deploy", *arguments], env=clean | environment, capture_output=True, text=True)

    def test_deploys_the_channels_that_are_named(self):
        said = self.deploy("--dry-run", "--no-build", "--channels", "telegram, discord").stderr
        for name, value in {"Telegram": "yes", "Discord": "yes", "Slack": "no", "Webhook": "no"}.items():
            self.assertIn(f'ParameterKey=Channel{name},ParameterValue="{value}"', said)
        self.assertNotIn("ParameterKey=Channel", self.deploy("--dry-run", "--no-build").stderr)
        wrong = self.deploy("--dry-run", "--channels", "telegramm")
        self.assertNotEqual(wrong.returncode, 0)
        self.assertIn("there is no telegramm; there are bridge, discord", wrong.stderr)

    def test_says_what_it_would_run(self):
        said = self.deploy("--dry-run", "--stage", "prod", "--no-reserved-concurrency").stderr
        self.assertIn("cargo lambda build --release", said)
        self.assertIn("--stack-name chela-prod", said)
        self.assertIn('ParameterKey=AgentConcurrency,ParameterValue="-1"', said)

    def test_is_not_for_an_emulator(self):
        self.assertIn("deploy-local", self.deploy("--no-build", AWS_ENDPOINT_URL="http://127.0.0.1:1").stderr)

    def test_local_one_is_for_nothing_else(self):
        local = subprocess.run([ROOT / "tools/deploy-local", "--endpoint", "https://example.org"], capture_output=True, text=True)
        self.assertIn("emulator", local.stderr)


if __name__ == "__main__":
    unittest.main()
