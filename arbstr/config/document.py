"""
YAML text to plain data that remembers its lines.

This is C{yaml.safe_load} with less: no tags, and what only YAML 1.1 takes for
a date or a base-60 number stays the text that was written.  It refuses what
would be silently lost (a key given twice) and what takes forever (aliases of
aliases).
"""

from __future__ import annotations

import re

import yaml
from attrs import define, field

from .problems import Document, Path, Problem

_MAX_DEPTH = 32
_MAX_VALUES = 50_000
_MAX_DIGITS = 40

_YAML = "tag:yaml.org,2002:"
_MERGE = _YAML + "merge"
_TEXT = frozenset({"str", "timestamp", "value", "merge"})
_NUMBERS = frozenset({"int", "float"})
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


class DocumentError(Exception):
    """
    There is no making sense of the text at all.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def parse(text: str) -> Document:
    """
    @raise DocumentError: if it is not YAML, or unreasonably much of it.
    """
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _broken("a character that YAML does not allow", line) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _broken(_explain(error), 1 if mark is None else mark.line + 1) from None
    except ValueError:
        # PyYAML lets the errors of impossible escapes and versions out.
        raise _broken("an escape or a number that cannot be", 1) from None
    if root is None:
        return Document(None, {(): 1})
    reader = _Reader(loader)
    data = reader.value(root, ())
    return Document(data, reader.lines, tuple(reader.problems))


class _Loader(yaml.SafeLoader):
    """
    Composes nodes, but not so deep that Python's stack runs out, nor for long.
    """

    _depth = 0
    _nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._nodes += 1
        self._depth += 1
        _check_size(self._nodes, self._depth, self.line + 1)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


@define
class _Reader:
    """
    Turns nodes into data.
    """

    _loader: yaml.SafeLoader
    lines: dict[Path, int] = field(factory=dict)
    problems: list[Problem] = field(factory=list)
    _values: int = 0
    _depth: int = 0

    def value(self, node: yaml.Node, path: Path) -> object:
        """
        The data of a node.  Aliased nodes are read anew each time, so the
        number of values bounds what aliases can multiply.
        """
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        self._values += 1
        self._depth += 1
        _check_size(self._values, self._depth, line)
        value = self._any(node, path)
        self._depth -= 1
        return value

    def _any(self, node: yaml.Node, path: Path) -> object:
        kind = node.tag.removeprefix(_YAML)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, kind, path)
        if isinstance(node, yaml.SequenceNode) and kind == "seq":
            return [
                self.value(item, (*path, position))
                for position, item in enumerate(node.value)
            ]
        if isinstance(node, yaml.MappingNode) and kind == "map":
            return self._mapping(node, path)
        return self._problem(path, "expected plain YAML, found a tag")

    def _scalar(self, node: yaml.ScalarNode, kind: str, path: Path) -> object:
        text: str = node.value
        if kind in _TEXT or (kind in _NUMBERS and ":" in text):
            if not _is_unicode(text):
                return self._problem(path, "expected Unicode, found half a character")
            return text
        if kind == "null":
            return None
        if kind not in _NUMBERS and kind != "bool":
            return self._problem(path, "expected plain YAML, found a tag")
        if len(text) > _MAX_DIGITS:
            found = f"found one of {len(text)} characters"
            return self._problem(path, f"expected a shorter number, {found}")
        try:
            return self._loader.construct_object(node)
        except (LookupError, ValueError, yaml.YAMLError):
            return self._problem(path, "expected plain YAML, found a tag")

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        data = self._merged(node, path)
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                continue
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(path, "expected text as a key, found more", line)
                continue
            key = key_node.value
            if not _is_unicode(key):
                self._problem(path, "expected Unicode, found half a character", line)
                continue
            inner = (*path, key)
            if key in first:
                message = f"expected each key once, found it in line {first[key]} too"
                self._problem(inner, message, line)
            first.setdefault(key, line)
            self.lines[inner] = line
            data[key] = self.value(value_node, inner)
        return data

    def _merged(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        """
        What C{<<} brings in.  Of several mappings the first one wins.
        """
        data: dict[str, object] = {}
        for key_node, value_node in node.value:
            if key_node.tag != _MERGE:
                continue
            several = isinstance(value_node, yaml.SequenceNode)
            for merged in value_node.value if several else [value_node]:
                value = self.value(merged, path)
                if isinstance(value, dict):
                    data = {**value, **data}
                else:
                    line = merged.start_mark.line + 1
                    self._problem(path, "expected a mapping after <<, found none", line)
        return data

    def _problem(self, path: Path, message: str, line: int | None = None) -> object:
        """
        @return: what stands in the place of a value that could not be read.
        """
        self.problems.append(Problem(path, message, line))
        return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_size(values: int, depth: int, line: int) -> None:
    for count, limit, what in (
        (values, _MAX_VALUES, "values"),
        (depth, _MAX_DEPTH, "levels"),
    ):
        if count > limit:
            message = f"expected at most {limit} {what}, found more"
            raise DocumentError(Problem((), message, line))


def _broken(what: str, line: int) -> DocumentError:
    return DocumentError(Problem((), f"expected YAML, found {what}", line))


def _explain(error: yaml.MarkedYAMLError) -> str:
    """
    PyYAML's reason, without the pieces of the text that it quotes.
    """
    reason = error.problem or error.context or "something else"
    return re.sub("^(but )?found ", "", _QUOTED.sub(_hide_words, reason))


def _hide_words(quoted: re.Match[str]) -> str:
    """
    Single characters and PyYAML's own C{<stream end>} tell what is wrong.
    """
    inside = quoted[0][1:-1]
    return quoted[0] if len(inside) <= 1 or inside[0] in "<\\" else "a word"
