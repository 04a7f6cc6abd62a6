"""
The file's content with the environment's values in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import define, field

from .problems import Path, Problem
from .secrets import (
    EXPANDED,
    LITERAL,
    NONE,
    ExpansionError,
    expand,
    from_environment,
    is_header_safe,
    is_secret,
    key_variable,
)


@define
class Environment:
    """
    Puts the values of the environment's variables into the content of a file.

    @ivar problems: what could not be had.
    @ivar plaintext: the secrets of which some part stands in the file.
    @ivar key_sources: by provider name, where its key comes from.
    @ivar variables: by convention variable, the providers whose key it is.
    """

    _environ: Mapping[str, str] = field(repr=False)
    problems: list[Problem] = field(factory=list)
    plaintext: list[Path] = field(factory=list)
    key_sources: dict[str, str] = field(factory=dict)
    variables: dict[str, list[str]] = field(factory=dict)

    def fill(self, data: object) -> object:
        """
        @param data: the content of the file as it was written.
        @return: the same with every C{${VAR}} expanded, and the keys of
            providers from the environment where the file has none.
        """
        filled: Any = self._expand(data, ())
        providers = filled.get("providers") if isinstance(filled, dict) else None
        if not isinstance(providers, list):
            return filled
        with_keys = [
            self._with_key(provider, ("providers", position))
            for position, provider in enumerate(providers)
        ]
        return {**filled, "providers": with_keys}

    def _expand(self, value: object, path: Path) -> object:
        if isinstance(value, dict):
            return {k: self._expand(item, (*path, k)) for k, item in value.items()}
        if isinstance(value, list):
            return [self._expand(item, (*path, i)) for i, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        try:
            expansion = expand(value, self._environ)
        except ExpansionError as error:
            self.problems.append(Problem(path, f"{error}, found none"))
            return value
        if is_secret(path) and expansion.plaintext and expansion.text.strip():
            self.plaintext.append(path)
        return expansion.text

    def _with_key(self, provider: Any, path: Path) -> Any:
        if not isinstance(provider, dict) or not isinstance(provider.get("name"), str):
            return provider
        name, key = provider["name"], provider.get("api_key")
        if key is not None and str(key).strip():
            literal = (*path, "api_key") in self.plaintext
            self.key_sources[name] = LITERAL if literal else EXPANDED
            return provider
        variable = key_variable(name)
        key = self._environ.get(variable, "").strip()
        if not key:
            self.key_sources[name] = NONE
            return provider
        if not is_header_safe(key):
            message = f"expected printable ASCII in {variable}, found other characters"
            self.problems.append(Problem((*path, "api_key"), message))
        self.key_sources[name] = from_environment(variable)
        self.variables.setdefault(variable, []).append(name)
        return {**provider, "api_key": key}
