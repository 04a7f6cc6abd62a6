"""
The C{arbstr} command.
"""

from __future__ import annotations

import json
import os
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from textwrap import dedent

from attrs import frozen

from arbstr import __version__
from arbstr.cli import main

from .config.support import FileTestCase

RATES = ("INPUT", "OUTPUT", "FEE")
KEY = "sk-tellnobody-9c7e5f3a1d"

CONFIG = f"""\
providers:
  - name: alpha
    url: https://alpha.example/v1
    api_key: {KEY}
    tier: frontier
    input_rate: 10000
    output_rate: 30000
    base_fee: 0.5
    models:
      - gpt-4o
      - {{name: o3, upstream: openai/o3, input_rate: 1, cached_input_rate: 0.25}}
  - name: beta
    url: http://127.0.0.1:11434/v1
    tier: local
policies: {{rules: [{{name: a}}, {{name: b}}]}}
"""


@frozen
class Result:
    """
    What a command did.
    """

    code: int
    out: str
    err: str


def run(*arguments: str) -> Result:
    """
    Run the command with these arguments.
    """
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as stop:
            code = int(stop.code or 0)
    return Result(code, out.getvalue(), err.getvalue())


class CheckTests(FileTestCase):
    """
    C{arbstr check}.
    """

    def test_usable(self) -> None:
        """
        A summary, and where the keys come from.
        """
        path = self.write(CONFIG)
        result = run("check", "--config", path)
        self.assertEqual(result.code, 0)
        self.assertEqual(
            result.out.replace(path, "FILE"),
            dedent(
                """\
                FILE: ok, 2 providers, 2 models, 2 policies
                  key of alpha: literal: plaintext in the file
                  key of beta: none
                """
            ),
        )

    def test_warnings(self) -> None:
        """
        Warnings go to standard error, and do no harm.
        """
        path = self.write(CONFIG, mode=0o644)
        result = run("check", "--config", path)
        self.assertEqual(result.code, 0)
        self.assertEqual(
            result.err.replace(path, "FILE").splitlines(),
            [
                "warning: FILE:4: providers[0].api_key: expected ${NAME}, found a key "
                "in plain text",
                "warning: FILE: holds a secret in plain text; expected mode 0600 "
                "(chmod 600 FILE), found 0644",
            ],
        )

    def test_unusable(self) -> None:
        """
        Every error on standard error, and nothing else.
        """
        path = self.write(CONFIG.replace("10000", "ten").replace("name: b}", "nam: b}"))
        result = run("check", "--config", path)
        self.assertEqual((result.code, result.out), (1, ""))
        self.assertEqual(
            result.err.replace(path, "FILE").splitlines(),
            [
                "FILE:6: providers[0].input_rate: expected a number, found 'ten'",
                "FILE:15: policies.rules[1].name: expected a value, found nothing",
                "FILE:15: policies.rules[1].nam: expected a known key, found 'nam'; "
                "did you mean 'name'?",
            ],
        )

    def test_one_of_each(self) -> None:
        """
        The summary counts in English.
        """
        path = self.write(
            "{providers: [{name: a, kind: mock, tier: local, models: [x]}],"
            " policies: {rules: [{name: r}]}}"
        )
        result = run("check", "--config", path)
        self.assertIn("ok, 1 provider, 1 model, 1 policy\n", result.out)


class ProvidersTests(FileTestCase):
    """
    C{arbstr providers}.
    """

    def test_table(self) -> None:
        """
        A line for every model.
        """
        result = run("providers", "--config", self.write(CONFIG))
        self.assertEqual((result.code, result.err), (0, ""))
        literal = "literal: plaintext in the file"
        alpha = ["alpha", "openai", "frontier", "https://alpha.example/v1", literal]
        beta = ["beta", "openai", "local", "http://127.0.0.1:11434/v1", "none"]
        cells = [
            [cell.strip() for cell in line.split("  ") if cell]
            for line in result.out.splitlines()
        ]
        self.assertEqual(
            cells,
            [
                [
                    "NAME",
                    "KIND",
                    "TIER",
                    "URL",
                    "KEY",
                    "MODEL",
                    "INPUT",
                    "OUTPUT",
                    "FEE",
                ],
                [*alpha, "gpt-4o", "10000", "30000", "0.5"],
                ["o3", "1", "30000", "0.5"],
                [*beta, "(any)", "0", "0", "0"],
            ],
        )

    def test_discovered(self) -> None:
        """
        What a provider is to tell of itself is not known, and not free.
        """
        path = self.write(
            "providers:\n"
            "- {name: a, url: 'http://a/v1', models: [m], auto_discover: true}\n"
            "- {name: b, url: 'http://b/v1', tier: local, auto_discover: true}\n"
        )
        lines = run("providers", "--config", path).out.splitlines()[1:]
        self.assertEqual(
            [line.split()[-4:] for line in lines],
            [[name, "-", "-", "-"] for name in ("m", "(discovered)", "(discovered)")],
        )

    def test_columns(self) -> None:
        """
        The columns of all lines begin at the same place.
        """
        result = run("providers", "--config", self.write(CONFIG))
        heading, first, second, _ = result.out.splitlines()
        column = heading.index("MODEL")
        self.assertEqual(first[column:].split()[0], "gpt-4o")
        self.assertEqual(second[column:].split()[0], "o3")

    def test_json(self) -> None:
        """
        The same for programs, with the name at the provider and all rates.
        """
        result = run("providers", "--json", "--config", self.write(CONFIG))
        self.assertEqual(result.code, 0)
        alpha, beta = json.loads(result.out)
        self.assertEqual(
            alpha["models"][1],
            {
                "name": "o3",
                "upstream": "openai/o3",
                "input_rate": 1,
                "output_rate": 30000,
                "cached_input_rate": 0.25,
                "base_fee": 0.5,
            },
        )
        del beta["models"]
        self.assertEqual(
            beta,
            {
                "name": "beta",
                "kind": "openai",
                "url": "http://127.0.0.1:11434/v1",
                "tier": "local",
                "key": "none",
            },
        )

    def test_unusable(self) -> None:
        """
        A configuration that cannot be used is not listed.
        """
        result = run("providers", "--config", "no/such.yaml")
        self.assertEqual((result.code, result.out), (1, ""))
        self.assertIn("no/such.yaml: expected a readable file", result.err)


class SecrecyTests(FileTestCase):
    """
    Keys do not come out.
    """

    def test_no_key_is_shown(self) -> None:
        """
        Whatever is asked for.
        """
        good = self.write(CONFIG, mode=0o644)
        bad = self.write(CONFIG.replace("tier: frontier", f"tier: {KEY}"))
        for path in (good, bad):
            for command in (["check"], ["providers"], ["providers", "--json"]):
                result = run(*command, "--config", path)
                self.assertNotIn("tellnobody", result.out + result.err)


class CommandLineTests(FileTestCase):
    """
    Everything around the commands.
    """

    def work_in_empty_directory(self) -> Path:
        """
        @return: the directory.
        """
        self.addCleanup(os.chdir, Path.cwd())
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        os.chdir(directory)
        return directory

    def set_environment(self, name: str, value: str) -> None:
        """
        Set a variable until the end of the test.
        """
        self.patch(os, "environ", os.environ | {name: value})

    def test_version(self) -> None:
        """
        The version is told.
        """
        result = run("--version")
        self.assertEqual((result.code, result.out), (0, f"arbstr {__version__}\n"))

    def test_no_command(self) -> None:
        """
        Without a command there is nothing to do.
        """
        result = run()
        self.assertEqual(result.code, 2)
        self.assertIn("usage: arbstr", result.err)

    def test_file_from_the_environment(self) -> None:
        """
        C{ARBSTR_CONFIG} names the file where the command line does not.
        """
        path = self.write(CONFIG)
        self.set_environment("ARBSTR_CONFIG", path)
        self.assertIn(f"{path}: ok", run("check").out)
        self.assertEqual(run("check", "--config", "no/such.yaml").code, 1)

    def test_file_of_the_directory(self) -> None:
        """
        Else it is the one of the working directory.
        """
        self.set_environment("ARBSTR_CONFIG", "")
        (self.work_in_empty_directory() / "etc").mkdir()
        Path("etc/arbstr.yaml").write_text(CONFIG, "utf-8")
        self.assertIn("etc/arbstr.yaml: ok", run("check").out)

    def test_no_file(self) -> None:
        """
        If there is none, all places are named.
        """
        self.set_environment("ARBSTR_CONFIG", "")
        self.work_in_empty_directory()
        result = run("check")
        self.assertEqual(result.code, 1)
        self.assertEqual(
            result.err,
            "expected --config FILE, ARBSTR_CONFIG or etc/arbstr.yaml, found none\n",
        )
