"""
Every shape of C{GET /models}, with every quirk that is known of it.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from arbstr.market.models import Listing, read_models
from arbstr.market.shapes import Listed, Rejected, read_entry
from arbstr.routing.money import Rates

from . import recorded

USD_PER_SAT = Decimal("0.001")


def read(answer: object) -> Listing:
    """
    What is understood of an answer.
    """
    return read_models(json.dumps(answer).encode())


def one(entry: dict[str, Any]) -> Listed:
    """
    What is understood of an entry.
    """
    listed = read_entry(entry)
    assert listed is not None
    return listed


def rates(listed: Listed) -> list[Rates | None]:
    """
    What is understood of its prices.
    """
    return [price.in_sats(USD_PER_SAT) for price in listed.prices]


class ShapeTestCase(SynchronousTestCase):
    """
    Compares lists.
    """

    def assert_ids(self, answer: object, *ids: str) -> None:
        """
        These are listed, and nothing is left out.
        """
        listing = read(answer)
        self.assertEqual([each.id for each in listing.models], list(ids))
        self.assertIsNone(listing.remark)

    def assert_no_word_of_prices(self, answer: object) -> None:
        """
        What the configuration says holds.
        """
        self.assertEqual({each.states_price for each in read(answer).models}, {False})


class OpenAITests(ShapeTestCase):
    """
    OpenAI.
    """

    def test_list(self) -> None:
        """
        Names, and no more.
        """
        self.assert_ids(recorded.OPENAI, "gpt-4o", "gpt-4o-mini")
        self.assert_no_word_of_prices(recorded.OPENAI)


class OllamaTests(ShapeTestCase):
    """
    Ollama.
    """

    def test_list(self) -> None:
        """
        The names have tags.
        """
        self.assert_ids(recorded.OLLAMA, "llama3.2:latest", "qwen2.5:7b")
        self.assert_no_word_of_prices(recorded.OLLAMA)

    def test_absent_tag(self) -> None:
        """
        It is the latest, and no other.
        """
        latest, other = read(recorded.OLLAMA).models
        self.assertEqual(latest.aliases, ("llama3.2",))
        self.assertEqual(other.aliases, ())

    def test_others_latest(self) -> None:
        """
        Elsewhere that is part of the name.
        """
        self.assertEqual(one({"id": "a:latest", "owned_by": "vllm"}).aliases, ())
        self.assertEqual(one({"id": ":latest", "owned_by": "library"}).aliases, ())


class MeshTests(ShapeTestCase):
    """
    mesh-llm.
    """

    def offered(self, payment: object) -> Listed:
        """
        A model for which these are the offers.
        """
        return one({**recorded.mesh("m"), "payment": payment})

    def test_list(self) -> None:
        """
        Old builds say less.
        """
        self.assert_ids(recorded.MESH, "qwen2.5-7b", "llama-8b", "own", "mesh")

    def test_price(self) -> None:
        """
        Msats for a million tokens are a thousandth of sats.
        """
        self.assertEqual(rates(read(recorded.MESH).models[0]), [Rates(150, 600, 150)])

    def test_unknown_price(self) -> None:
        """
        It is not free.
        """
        model = read(recorded.MESH).models[1]
        self.assertTrue(model.states_price)
        self.assertEqual(model.prices, ())

    def test_no_word(self) -> None:
        """
        Older builds, and models of one's own, say nothing.
        """
        for model in read(recorded.MESH).models[2:]:
            self.assertFalse(model.states_price)

    def test_dearest(self) -> None:
        """
        Nobody says which of the offers will be taken.
        """
        payment = recorded.mesh_payment(
            recorded.mesh_pricing(1000, 9000), recorded.mesh_pricing(2000, 3000), None
        )
        self.assertEqual(rates(self.offered(payment)), [Rates(2, 9, 2)])

    def test_free(self) -> None:
        """
        Somebody serves it for nothing.
        """
        self.assertFalse(self.offered(recorded.mesh_payment(free=True)).states_price)
        self.assertFalse(
            self.offered(recorded.mesh_payment(None, free=True)).states_price
        )

    def test_paid_without_offers(self) -> None:
        """
        Who asks for money asks for more than nothing.
        """
        several: list[object] = [[], None, "many"]
        for offers in several:
            payment = {"paid_available": True, "offers": offers}
            model = self.offered(payment)
            self.assertEqual((model.states_price, model.prices), (True, ()))

    def test_other_unit(self) -> None:
        """
        It is not guessed.
        """
        payment = recorded.mesh_payment(recorded.mesh_pricing(1, 1))
        payment["offers"][0]["rate_unit"] = "usd_per_token"
        self.assertEqual(self.offered(payment).prices, ())

    def test_half(self) -> None:
        """
        Half a price is none.
        """
        payment = recorded.mesh_payment(recorded.mesh_pricing(1000, None))
        self.assertEqual(self.offered(payment).prices, ())

    def test_broken(self) -> None:
        """
        Nor is a negative one.
        """
        payment = recorded.mesh_payment(recorded.mesh_pricing(-1, 1000))
        self.assertRaises(Rejected, self.offered, payment)


class LlamaCppTests(ShapeTestCase):
    """
    llama.cpp.
    """

    def test_list(self) -> None:
        """
        Of its two arrays C{data} counts, and names may be paths with spaces in
        them.  C{meta} is null while a model is loaded.
        """
        self.assert_ids(recorded.LLAMA_CPP, "/models/Qwen 2.5.gguf", "loading")
        self.assert_no_word_of_prices(recorded.LLAMA_CPP)

    def test_aliases(self) -> None:
        """
        It may have some.
        """
        self.assertEqual(read(recorded.LLAMA_CPP).models[0].aliases, ("qwen",))


class VllmTests(ShapeTestCase):
    """
    vLLM.
    """

    def test_list(self) -> None:
        """
        Names have slashes.
        """
        self.assert_ids(recorded.VLLM, "Qwen/Qwen2.5-7B-Instruct")
        self.assert_no_word_of_prices(recorded.VLLM)


class OpenRouterTests(ShapeTestCase):
    """
    OpenRouter.
    """

    def test_price(self) -> None:
        """
        Text, in dollars for a token.
        """
        self.assertEqual(
            rates(read(recorded.OPENROUTER).models[0]), [Rates(150, 600, 75)]
        )

    def test_free(self) -> None:
        """
        What is free there, is free.
        """
        free = read(recorded.OPENROUTER).models[1]
        self.assertEqual(free.id, "meta-llama/llama-3.3-70b-instruct:free")
        self.assertEqual(rates(free), [Rates(0, 0, 0)])

    def test_router(self) -> None:
        """
        Minus one is no price, and its model none.
        """
        listing = read(recorded.OPENROUTER)
        self.assertNotIn("openrouter/auto", [each.id for each in listing.models])
        self.assertEqual(listing.unclear, frozenset({"openrouter/auto"}))
        self.assertEqual(
            listing.remark, "left out 1 of 4 models: a price is negative (1)"
        )

    def test_fee(self) -> None:
        """
        Some charge for the request, too.
        """
        self.assertEqual(
            rates(read(recorded.OPENROUTER).models[2]), [Rates(1000, 1000, 1000, 5)]
        )

    def test_no_price(self) -> None:
        """
        A side that is not told makes the price unknown.
        """
        for pricing in ({"prompt": "1"}, {"prompt": "1", "completion": None}):
            model = one({"id": "a", "pricing": pricing})
            self.assertEqual((model.states_price, model.prices), (True, ()))

    def test_other_units(self) -> None:
        """
        Others use the same word for prices in units of their own.
        """
        others: list[object] = [{"input": 0.3, "output": 0.3}, {}, None, "free", []]
        for pricing in others:
            self.assertFalse(one({"id": "a", "pricing": pricing}).states_price)

    def test_max_output(self) -> None:
        """
        How long an answer can be.
        """
        self.assertEqual(read(recorded.OPENROUTER).models[0].max_output, 16384)
        for told in (None, 0, -1, True, "16384", 2**40, 1.5):
            entry = {"id": "a", "top_provider": {"max_completion_tokens": told}}
            self.assertIsNone(one(entry).max_output)


class RoutstrTests(ShapeTestCase):
    """
    Routstr nodes.
    """

    def test_list(self) -> None:
        """
        There is no C{object} in it.
        """
        self.assert_ids(recorded.ROUTSTR, "gpt-4o-mini", "gpt-4o")

    def test_price(self) -> None:
        """
        Sats for a token, times a million: not what the dollars would make.
        """
        mini, large = read(recorded.ROUTSTR).models
        self.assertEqual(rates(mini)[0], Rates(150, 600, 75))
        self.assertEqual(rates(large)[0], Rates(2500, 10000, 1250))

    def test_no_fee(self) -> None:
        """
        What it shows for a request is never charged.
        """
        (mini, _) = read(recorded.ROUTSTR).models
        self.assertEqual([each.base_fee for each in mini.prices], [0, 0])

    def test_null(self) -> None:
        """
        It has no price in sats yet: dollars stand in, if they can be converted;
        it is not free.
        """
        (mini,) = read(recorded.ROUTSTR_UNPRICED).models
        self.assertTrue(mini.states_price)
        self.assertEqual(rates(mini), [Rates(150, 600, 75)])
        self.assertIsNone(mini.prices[0].in_sats(None))

    def test_neither(self) -> None:
        """
        Nor without dollars.
        """
        for entry in (
            {"id": "a", "sats_pricing": None, "pricing": None},
            {"id": "a", "sats_pricing": {}},
            {"id": "a", "sats_pricing": "cheap"},
        ):
            model = one(entry)
            self.assertEqual((model.states_price, model.prices), (True, ()))

    def test_nothing_in_sats_yet(self) -> None:
        """
        What costs dollars is not free in sats, but what costs nothing is.
        """
        entry = recorded.routstr("a", (0, 0, 0), (0.000001, 0.000002, 0))
        self.assertEqual(rates(one(entry)), [Rates(1000, 2000, 1000)])
        entry = recorded.routstr("a", (0, 0, 0), (0, 0, 0))
        self.assertEqual(rates(one(entry)), [Rates(0, 0, 0)] * 2)

    def test_cache_not_stated(self) -> None:
        """
        Zero says so: it is charged as the prompt is.
        """
        entry = recorded.routstr("a", (0.001, 0.001, 0.0), (0.0, 0.0, 0.0))
        self.assertEqual(rates(one(entry))[0], Rates(1000, 1000, 1000))

    def test_switched_off(self) -> None:
        """
        Such a model is not there.
        """
        off = recorded.routstr("a", (1, 1, 1), (1, 1, 1), enabled=False)
        self.assert_ids(
            {"data": [off, *recorded.OPENAI["data"]]}, "gpt-4o", "gpt-4o-mini"
        )
        self.assert_ids({"data": [off]})

    def test_aliases(self) -> None:
        """
        A node takes them as well.
        """
        entry = recorded.routstr(
            "a", (1, 1, 1), (1, 1, 1), alias_ids=["vendor/a", "a", 4, "bad\nid"]
        )
        self.assertEqual(one(entry).aliases, ("vendor/a",))

    def test_negative(self) -> None:
        """
        It is no price.
        """
        entry = recorded.routstr("a", (-0.001, 0.001, 0), (1, 1, 1))
        error = self.assertRaises(Rejected, read_entry, entry)
        self.assertEqual((str(error), error.id), ("a price is negative", "a"))
