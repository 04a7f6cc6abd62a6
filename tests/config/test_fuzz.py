"""
Whatever is in a file, it is refused in an orderly way.
"""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arbstr.config.base import Settings
from arbstr.config.load import ConfigError, load_config
from arbstr.config.model import Config
from arbstr.config.validation import section_in

from .support import MOCK, ConfigTestCase

SYNTAX = st.sampled_from(
    (
        *"[]{}:,-#&*!|>'\"%@`?\n\t ~=\0\x85\ufeff",
        *("${", "}", "&a ", "*a", "<<: ", "- ", "!!int ", "!!binary ", "? ", "---\n"),
        *("%YAML 9.9\n", "0x", "1:1", '"\\ud800"', ".nan", "1e400", "true", "null"),
        *("name: ", "providers:\n", "server: ", "9" * 50),
    )
)
TEXT = st.lists(st.one_of(SYNTAX, st.text(max_size=5)), max_size=40).map("".join)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=10),
    st.dates(),
    st.sampled_from(["${A}", "${", "mock", "local", "a", "http://a", "on", "10"]),
)


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """
    Lists and mappings of these, one level more.
    """
    return st.lists(leaves, max_size=3) | st.dictionaries(
        st.text(max_size=5), leaves, max_size=3
    )


ANYTHING = st.recursive(SCALARS, nested, max_leaves=10)


def section(settings_of: type[Settings]) -> st.SearchStrategy[Any]:
    """
    Mappings with the keys of a section, whose values are of the right shape,
    or of none.
    """
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for name, field in settings_of.model_fields.items():
        inner = section_in(field.annotation)
        shaped = SCALARS if inner is None else section(inner)
        optional[name] = st.one_of(shaped, st.lists(shaped, max_size=3), ANYTHING)
    return st.fixed_dictionaries({}, optional=optional)


class FuzzTests(ConfigTestCase):
    """
    L{load_config} answers, or raises L{ConfigError}, whose lines are lines.
    """

    def assert_orderly(self, text: str) -> None:
        """
        Load a file with this text.
        """
        path = self.write(text.encode("utf-8", "surrogatepass"))
        try:
            load_config(path, {"A": "a"})
        except ConfigError as error:
            self.assertNotEqual(error.problems, ())
            for problem in error.problems:
                self.assertTrue(problem.startswith(f"{path}:"), problem)
                self.assertIn(": expected ", problem)
                self.assertIn("found ", problem)
                self.assertTrue(problem.isprintable(), problem)

    @given(TEXT)
    @example(MOCK)
    @example("")
    @settings(max_examples=300, deadline=None)
    def test_text(self, text: str) -> None:
        """
        Text that looks a little like YAML.
        """
        self.assert_orderly(text)

    @given(ANYTHING)
    @settings(max_examples=200, deadline=None)
    def test_data(self, data: Any) -> None:
        """
        Any data that YAML can write.
        """
        self.assert_orderly(yaml.safe_dump(data, allow_unicode=True))

    @given(section(Config))
    @settings(max_examples=300, deadline=None)
    def test_settings(self, data: Any) -> None:
        """
        Settings with the right keys and anything as values.
        """
        self.assert_orderly(yaml.safe_dump(data))
