"""
The gateways that people would use instead.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from attrs import define

from .installing import run
from .proxy import TOKEN, Command

_PORTKEY = "@portkey-ai/gateway"
# With a later one every stream fails.
_OVERRIDES = {"@hono/node-server": "1.13.7"}
_NOT_FINISHED = "installing"


@define
class Portkey:
    """
    Portkey's gateway from npm, without its console.
    """

    cache: Path
    name: str = "portkey"

    def install(self) -> str:
        """
        See L{Proxy.install}.
        """
        directory = self.cache / "portkey"
        package = self._package() / "package.json"
        if not package.exists() or (directory / _NOT_FINISHED).exists():
            _begin(directory)
            wanted = {
                "private": True,
                "dependencies": {_PORTKEY: "*"},
                "overrides": _OVERRIDES,
            }
            (directory / "package.json").write_text(json.dumps(wanted), "utf-8")
            run("npm", "install", "--no-audit", "--no-fund", directory=directory)
            (directory / _NOT_FINISHED).unlink()
        version: str = json.loads(package.read_text("utf-8"))["version"]
        return f"{version} (Node {run('node', '--version').strip()})"

    def headers(self, provider: int) -> Sequence[str]:
        """
        See L{Proxy.headers}.
        """
        return [
            f"Authorization: Bearer {TOKEN}",
            "x-portkey-provider: openai",
            f"x-portkey-custom-host: http://127.0.0.1:{provider}/v1",
        ]

    def command(self, directory: Path, port: int, provider: int) -> Command:
        """
        See L{Proxy.command}.
        """
        program = self._package() / "build/start-server.js"
        return Command(
            ["node", str(program), "--headless", f"--port={port}"],
            {"NODE_ENV": "production"},
        )

    def _package(self) -> Path:
        return self.cache / "portkey/node_modules" / _PORTKEY


@define
class LiteLLM:
    """
    LiteLLM's proxy from PyPI, with a master key and without a database.
    """

    cache: Path
    name: str = "litellm"

    def install(self) -> str:
        """
        See L{Proxy.install}.
        """
        directory = self.cache / "litellm"
        if not self._bin("litellm").exists() or (directory / _NOT_FINISHED).exists():
            _begin(directory)
            run(sys.executable, "-m", "venv", str(directory))
            run(str(self._bin("pip")), "install", "--quiet", "litellm[proxy]")
            (directory / _NOT_FINISHED).unlink()
        told = run(
            str(self._bin("python")),
            "-c",
            "from importlib.metadata import version; print(version('litellm'))",
        )
        return told.strip()

    def headers(self, provider: int) -> Sequence[str]:
        """
        See L{Proxy.headers}.
        """
        return [f"Authorization: Bearer {TOKEN}"]

    def command(self, directory: Path, port: int, provider: int) -> Command:
        """
        See L{Proxy.command}.
        """
        model = {
            "model": "openai/gpt-4o",
            "api_base": f"http://127.0.0.1:{provider}/v1",
            "api_key": "sk-provider-0123456789",
        }
        settings = {
            "model_list": [{"model_name": "gpt-4o", "litellm_params": model}],
            "general_settings": {"master_key": TOKEN},
        }
        config = directory / "litellm.yaml"
        config.write_text(json.dumps(settings), "utf-8")  # which is YAML, too
        where = ["--host", "127.0.0.1", "--port", str(port)]
        return Command(
            [str(self._bin("litellm")), "--config", str(config), *where],
            # Prices come with it: it need not ask the network for them.
            {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"},
        )

    def _bin(self, program: str) -> Path:
        return self.cache / "litellm/bin" / program


def _begin(directory: Path) -> None:
    """
    Start anew, such that it is seen if it is never finished.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / _NOT_FINISHED).touch()
