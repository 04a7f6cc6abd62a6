"""
Packaging, tried for real: C{python -m tests.packaging} builds a wheel and makes
an editable install, each in an environment of its own, and asks C{twistd} for
its plugins.  It needs the package index, so it is no part of the test suite.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(*command: str | Path, cwd: Path) -> str:
    """
    Run a command.

    @return: what it printed.
    """
    done = subprocess.run(
        [str(each) for each in command], cwd=cwd, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{command} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def check(name: str, *requirement: str | Path) -> None:
    """
    Install arbstr in one way, and see that it works from another directory.
    """
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        venv.create(here / "venv", with_pip=True)
        binaries = here / "venv/bin"
        run(binaries / "pip", "install", "--quiet", *requirement, cwd=here)
        listed = run(binaries / "twistd", "--help", cwd=here)
        if "arbstr" not in listed:
            sys.exit(f"{name}: twistd does not list arbstr")
        if "--mock" not in run(binaries / "twistd", "arbstr", "--help", cwd=here):
            sys.exit(f"{name}: twistd arbstr does not start")
        run(binaries / "python", "-m", "twisted", "--help", cwd=here)
        run(binaries / "arbstr", "--version", cwd=here)
    print(f"{name}: twistd lists arbstr")


def main() -> None:
    """
    Wheel and editable install.
    """
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        run(sys.executable, "-m", "build", "--outdir", here, ROOT, cwd=ROOT)
        (wheel,) = here.glob("*.whl")
        check("wheel", wheel)
        (source,) = here.glob("*.tar.gz")
        check("source distribution", source)
    check("editable install", "--editable", ROOT)


if __name__ == "__main__":
    main()
