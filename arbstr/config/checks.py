"""
What no single value can tell: names given twice, names that lead nowhere,
prices that are nowhere stated.

These look at the data before it is converted, so that they can be told
together with wrong types.  Whatever is not of the expected shape is passed
over here: somebody else complains about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import frozen

from .problems import Path, Problem, show, show_path, suggest

_RATES = ("input_rate", "output_rate")
_FROM_FEED = ("openrouter-", "routstr-")


@frozen
class _Text:
    """
    A name, and where it stands.
    """

    path: Path
    value: str


@frozen
class _Section:
    """
    A mapping, and where it stands.
    """

    path: Path
    data: Mapping[str, Any]

    def text(self, key: str) -> list[_Text]:
        """
        The value of a key as a list of one; of none if it is not text.
        """
        value = self.data.get(key)
        return [_Text((*self.path, key), value)] if isinstance(value, str) else []

    def texts(self, key: str) -> list[_Text]:
        """
        The items of a list that are text; a bare one stands for a list.
        """
        if one := self.text(key):
            return one
        items = _list(self.data.get(key))
        return [
            _Text((*self.path, key, position), item)
            for position, item in enumerate(items)
            if isinstance(item, str)
        ]

    def sections(self, key: str) -> list[_Section]:
        """
        The items of a list that are mappings.
        """
        items = _list(self.data.get(key))
        return [
            _Section((*self.path, key, position), item)
            for position, item in enumerate(items)
            if isinstance(item, Mapping)
        ]

    def section(self, key: str) -> _Section:
        """
        A mapping inside this one, empty if it is not there.
        """
        value = self.data.get(key)
        return _Section((*self.path, key), value if isinstance(value, Mapping) else {})


def check(data: object) -> Iterator[Problem]:
    """
    @param data: the content of the file, environment expanded.
    """
    if not isinstance(data, Mapping):
        return
    root = _Section((), data)
    providers = root.sections("providers")
    rules = root.section("policies").sections("rules")
    yield from _repeated(providers, "a unique provider name")
    yield from _repeated(rules, "a unique rule name")
    for provider in providers:
        yield from _repeated_texts(_models(provider), "a unique model name")
        yield from _complete(provider)
    has_feed = isinstance(data.get("tokenstats"), Mapping)
    yield from _known_providers(providers, rules, has_feed)
    yield from _known_models(providers, rules, has_feed)


def _repeated(sections: Iterable[_Section], expected: str) -> Iterator[Problem]:
    names = [name for section in sections for name in section.text("name")]
    return _repeated_texts(names, expected)


def _repeated_texts(names: Iterable[_Text], expected: str) -> Iterator[Problem]:
    first: dict[str, Path] = {}
    for name in names:
        if name.value in first:
            where = show_path(first[name.value])
            message = f"expected {expected}, found {show(name.value)} as in {where}"
            yield Problem(name.path, message)
        first.setdefault(name.value, name.path)


def _complete(provider: _Section) -> Iterator[Problem]:
    """
    A missing price is never taken for free, except on one's own machine.
    """
    data = provider.data
    if data.get("kind") != "mock" and data.get("url") is None:
        message = "expected an http:// or https:// URL, found nothing"
        yield Problem((*provider.path, "url"), message)
    if data.get("tier") == "local" or data.get("auto_discover") is True:
        # Free; or the provider is to tell, and is not asked before it has.
        return
    models = _list(data.get("models"))
    for rate in _RATES:
        everywhere = models and all(_has(model, rate) for model in models)
        if data.get(rate) is None and not everywhere:
            message = "expected sats per 1,000,000 tokens (0: free), found nothing"
            yield Problem((*provider.path, rate), message)


def _has(model: object, key: str) -> bool:
    return isinstance(model, Mapping) and model.get(key) is not None


def _models(provider: _Section) -> list[_Text]:
    """
    The names of a provider's models, in both forms that they can take.
    """
    named = [n for model in provider.sections("models") for n in model.text("name")]
    return sorted([*provider.texts("models"), *named], key=lambda name: name.path[:4])


def _known_providers(
    providers: Iterable[_Section], rules: Iterable[_Section], has_feed: bool
) -> Iterator[Problem]:
    """
    @param has_feed: a feed names providers of its own, C{SOURCE-NAME}.
    """
    known = {n.value: None for provider in providers for n in provider.text("name")}
    for rule in rules if known else ():
        restriction = rule.section("providers")
        for name in (*restriction.texts("only"), *restriction.texts("ignore")):
            if has_feed and name.value.startswith(_FROM_FEED):
                continue
            if name.value not in known:
                message = f"expected a configured provider, found {show(name.value)}"
                yield Problem(name.path, message + suggest(name.value, known))


def _known_models(
    providers: Iterable[_Section], rules: Iterable[_Section], has_feed: bool
) -> Iterator[Problem]:
    """
    A provider without a list of models takes any, one that is asked for its
    list may have any, and then no name is wrong.
    """
    served = [_models(provider) for provider in providers]
    asked = any(provider.data.get("auto_discover") is True for provider in providers)
    if not served or not all(served) or asked or has_feed:
        return
    known = {model.value: None for models in served for model in models}
    for rule in rules:
        for name in rule.texts("allowed_models"):
            if name.value not in known:
                message = f"expected a model of some provider, found {show(name.value)}"
                yield Problem(name.path, message + suggest(name.value, known))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
