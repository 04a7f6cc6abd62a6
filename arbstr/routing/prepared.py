"""
What of a configuration is looked at for every request, in the shape in which that
is quick.
"""

from __future__ import annotations

from attrs import frozen

from arbstr.config.model import Config, Strategy

from .catalog import Catalog
from .complexity import Scorer
from .policy import Policies
from .tiers import Thresholds


@frozen
class Prepared:
    """
    A configuration for the router.
    """

    catalog: Catalog
    policies: Policies
    scorer: Scorer
    thresholds: Thresholds
    later_turns: bool
    default_strategy: Strategy


def prepare(config: Config) -> Prepared:
    """
    Pure.  With tens of thousands of models it takes a good part of a second, and
    is then for a thread.
    """
    return Prepared(
        catalog=Catalog(config.providers),
        policies=Policies(config.policies.rules),
        scorer=Scorer(config.routing),
        thresholds=Thresholds(config.routing, config.providers),
        later_turns=config.routing.later_turns,
        default_strategy=config.policies.default_strategy,
    )
