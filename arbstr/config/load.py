"""
A file to settings, or to everything that is wrong with it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path as FilePath

from attrs import frozen

from .checks import check
from .document import DocumentError, parse
from .environment import Environment
from .model import Config
from .problems import ConfigError, Document, Problem, line_of
from .rates import per_thousand
from .validation import validate

__all__ = ["ConfigError", "Loaded", "default_path", "load_config"]

_DEFAULT = "etc/arbstr.yaml"
_MAX_BYTES = 1_048_576
_MOST_PROBLEMS = 1_000
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH


@frozen
class Loaded:
    """
    What a file holds.

    @ivar path: the file, as it was named.
    @ivar key_sources: by provider name, where its key comes from: one of
        L{arbstr.config.secrets}' phrases.
    @ivar warnings: what is allowed but not wise, a line each.
    """

    config: Config
    path: str
    key_sources: Mapping[str, str]
    warnings: tuple[str, ...] = ()


@frozen
class _File:
    """
    @ivar mode: the permission bits.
    """

    name: str
    text: str
    mode: int


def default_path(environ: Mapping[str, str] = os.environ) -> str | None:
    """
    The file to read when none was named: C{ARBSTR_CONFIG}, else the one of
    the working directory if it has one.
    """
    if named := environ.get("ARBSTR_CONFIG"):
        return named
    return _DEFAULT if FilePath(_DEFAULT).exists() else None


def load_config(
    path: str | os.PathLike[str], environ: Mapping[str, str] = os.environ
) -> Loaded:
    """
    Read a file.  Nothing is opened but the file, and nothing is written.

    @param environ: what C{${VAR}} and the keys of providers are looked up in.
    @raise ConfigError: with everything that is wrong.
    """
    file = _read(os.fspath(path))
    try:
        document = parse(file.text)
    except DocumentError as error:
        raise ConfigError([error.problem.render(file.name, {})]) from None
    environment = Environment(environ)
    data = environment.fill(document.data)
    problems = [*document.problems, *environment.problems]
    # A value that is not there at all need not be of the right type.
    told = {problem.path for problem in problems}
    config, invalid = validate(data, document.data)
    invalid += islice(check(data), _MOST_PROBLEMS)
    problems += [problem for problem in invalid if problem.path not in told]
    if config is None or problems:
        raise ConfigError(_render(problems, file, document))
    unwise = [*_warnings(environment), *per_thousand(config.providers)]
    warnings = _render(unwise, file, document)
    if environment.plaintext and file.mode & _OTHERS_READ:
        warnings.append(
            f"{file.name}: holds a secret in plain text; expected mode 0600 "
            f"(chmod 600 {file.name}), found {file.mode:04o}"
        )
    return Loaded(config, file.name, environment.key_sources, tuple(warnings))


def _read(name: str) -> _File:
    try:
        with open(name, "rb") as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            content = stream.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such name"
        message = f"{name}: expected a readable file, found none ({reason})"
        raise ConfigError([message]) from None
    if len(content) > _MAX_BYTES:
        raise ConfigError([f"{name}: expected at most {_MAX_BYTES} bytes, found more"])
    try:
        return _File(name, content.decode("utf-8-sig"), mode)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"{name}:{line}: expected UTF-8, found other bytes"
        raise ConfigError([message]) from None


def _warnings(environment: Environment) -> Iterator[Problem]:
    for path in environment.plaintext:
        if path[-1] == "api_key" or path[0] == "tokenstats":
            yield Problem(path, "expected ${NAME}, found a key in plain text")
    for variable, names in environment.variables.items():
        if len(names) > 1:
            message = f"expected a key for each, found {', '.join(names)}"
            yield Problem(("providers",), f"{message} sharing {variable}")


def _render(
    problems: Iterator[Problem] | list[Problem], file: _File, document: Document
) -> list[str]:
    """
    One line each, in the order of the file.
    """
    ordered = sorted(
        problems,
        key=lambda problem: problem.line or line_of(problem.path, document.lines),
    )
    lines = [problem.render(file.name, document.lines) for problem in ordered]
    return list(dict.fromkeys(lines))
