"""
Tests for L{arbstr.market.names}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.market.names import Names
from arbstr.market.sellers import Seller

NODE = "https://node.example/v1"
OTHER = "https://other.example/v1"


def seller(
    provider: str = "Node One",
    endpoint: str = NODE,
    provider_id: str = "one",
    source: str = "routstr",
) -> Seller:
    """
    A seller of nothing.
    """
    return Seller(source, provider, provider_id, endpoint, {})


class NamesTests(SynchronousTestCase):
    """
    L{Names}.
    """

    def setUp(self) -> None:
        self.names = Names()

    def give(self, *sellers: Seller, taken: tuple[str, ...] = ()) -> list[str]:
        """
        Their names, in their order.
        """
        given = self.names.give(sellers, taken)
        return [given[each.endpoint] for each in sellers]

    def test_name(self) -> None:
        """
        What a path, a header and a log line can hold.
        """
        for provider, expected in (
            ("Node One", "routstr-node-one"),
            ("  ¡Ünïcode!  ", "routstr-n-code"),
            ("⚡⚡", "routstr-unnamed"),
            ("x" * 100, "routstr-" + "x" * 40),
            ("a/../b", "routstr-a-b"),
        ):
            self.assertEqual(
                Names().give([seller(provider)], ()).popitem()[1], expected
            )

    def test_source_that_is_its_only_provider(self) -> None:
        """
        Its quotes may be named after the makers of the models.
        """
        openrouter = seller("OpenAI", provider_id="openrouter", source="openrouter")
        self.assertEqual(self.give(openrouter), ["openrouter-openrouter"])

    def test_same_name(self) -> None:
        """
        Only one of them can have it.
        """
        first, second = self.give(seller(), seller(endpoint=OTHER))
        self.assertEqual(first, "routstr-node-one")
        self.assertRegex(second, r"^routstr-node-one-[0-9a-f]{6}$")

    def test_taken(self) -> None:
        """
        The configuration's names are.
        """
        (name,) = self.give(seller(), taken=("routstr-node-one",))
        self.assertRegex(name, r"^routstr-node-one-[0-9a-f]{6}$")

    def test_lasting(self) -> None:
        """
        Who has a name keeps it, whoever comes, in whichever order.
        """
        (before,) = self.give(seller(endpoint=OTHER))
        _, after = self.give(seller(), seller(endpoint=OTHER))
        self.assertEqual(before, after)

    def test_taken_meanwhile(self) -> None:
        """
        The configuration goes before the market.
        """
        (before,) = self.give(seller())
        (after,) = self.give(seller(), taken=(before,))
        self.assertNotEqual(before, after)

    def test_left(self) -> None:
        """
        Nobody gets the name of one who is gone, who may come back.
        """
        (before,) = self.give(seller())
        self.give()
        (other,) = self.give(seller(endpoint=OTHER))
        self.assertNotEqual(other, before)
        self.assertEqual(self.give(seller()), [before])

    def test_other_id(self) -> None:
        """
        The provider at an endpoint is the same, whatever it is called by now.
        """
        (before,) = self.give(seller())
        self.assertEqual(self.give(seller("Other", provider_id="two")), [before])

    def test_long_gone(self) -> None:
        """
        Only so many are remembered.
        """
        self.give(seller())
        self.give(*[seller("x", endpoint=f"{number}") for number in range(10_000)])
        self.assertEqual(self.give(seller(endpoint=OTHER)), ["routstr-node-one"])

    def test_same_from_start_to_start(self) -> None:
        """
        The log knows providers by their names.
        """
        sellers = [seller(endpoint=each) for each in ("c", "a", "b")]
        again = Names().give(reversed(sellers), ())
        self.assertEqual(self.names.give(sellers, ()), again)

    @given(
        st.lists(
            st.tuples(
                st.text(), st.text(max_size=2), st.text(max_size=2), st.text(max_size=2)
            )
        ),
        st.sets(st.sampled_from(["unnamed-unnamed", "a-a", "a-unnamed"])),
    )
    def test_unique(
        self, told: list[tuple[str, str, str, str]], taken: set[str]
    ) -> None:
        """
        Whatever they call themselves.
        """
        sellers = {each.endpoint: each for each in (Seller(*each, {}) for each in told)}
        given = Names().give(sellers.values(), taken)
        self.assertEqual(set(given), set(sellers))
        self.assertEqual(len({*given.values()} | taken), len(given) + len(taken))
