"""
Who serves: cost, policies, and what a request asks for, from end to end.
"""

from __future__ import annotations

from typing import Any

from .harness import MODEL, Answer, DaemonTestCase, chat, coroutine
from .providers import fails

CAREFUL = {
    "name": "careful",
    "keywords": ["contract"],
    "providers": {"only": ["gamma"]},
}


def user(text: str) -> dict[str, Any]:
    """
    A request with this question.
    """
    return chat(messages=[{"role": "user", "content": text}])


class RoutingTestCase(DaemonTestCase):
    """
    Three healthy providers, alpha the cheapest of them.
    """

    def setUp(self) -> None:
        super().setUp()
        for name in ("alpha", "beta", "gamma"):
            self.provider(name)

    async def assert_served_by(
        self, name: str, body: dict[str, Any] | None = None, **headers: str
    ) -> Answer:
        """
        This provider serves the request, and no other gets to see it.
        """
        before = {each.name: len(each.requests) for each in self.providers.values()}
        given = {key.replace("_", "-"): value for key, value in headers.items()}
        answer = await self.ask(body, given)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.header("X-Arbstr-Provider"), name)
        asked = {
            each.name: len(each.requests) - before[each.name]
            for each in self.providers.values()
        }
        self.assertEqual(asked, dict.fromkeys(asked, 0) | {name: 1})
        return answer


class CostTests(RoutingTestCase):
    """
    The cheapest for this very request.
    """

    @coroutine
    async def test_cheapest(self) -> None:
        self.start()
        await self.assert_served_by("alpha")
        await self.assert_served_by("alpha", chat(stream=True))

    @coroutine
    async def test_base_fee_decides_short_requests(self) -> None:
        """
        And means nothing to long ones.
        """
        self.start({"alpha": {"base_fee": 5}})
        await self.assert_served_by("beta")
        await self.assert_served_by("alpha", user("word " * 20_000))

    @coroutine
    async def test_output_cap_counts(self) -> None:
        """
        Of two providers, one is cheap to read and one is cheap to write.
        """
        self.start(
            {
                "alpha": {"input_rate": 1, "output_rate": 9000},
                "beta": {"input_rate": 2000, "output_rate": 10},
            }
        )
        question = user("word " * 100)
        await self.assert_served_by("beta", question)
        await self.assert_served_by("alpha", {**question, "max_tokens": 5})
        await self.assert_served_by("alpha", {**question, "max_completion_tokens": 5})

    @coroutine
    async def test_choices_count(self) -> None:
        """
        Each of them is paid for.
        """
        self.start(
            {
                "alpha": {"input_rate": 1, "output_rate": 9000},
                "beta": {"input_rate": 2000, "output_rate": 2000},
            }
        )
        question = {**user("word " * 100), "max_tokens": 25}
        await self.assert_served_by("alpha", question)
        await self.assert_served_by("beta", {**question, "n": 4})

    @coroutine
    async def test_rates_of_the_model(self) -> None:
        """
        Where it has some of its own.
        """
        model = {"name": MODEL, "input_rate": 1, "output_rate": 1}
        self.start({"gamma": {"models": ["other", model]}})
        await self.assert_served_by("gamma")

    @coroutine
    async def test_providers_without_the_model_are_left_out(self) -> None:
        self.start({"alpha": {"models": ["other"]}})
        await self.assert_served_by("beta")
        await self.assert_served_by("alpha", chat(model="other"))

    @coroutine
    async def test_provider_that_takes_any_model(self) -> None:
        self.start({"beta": {"models": []}})
        await self.assert_served_by("beta", chat(model="whatever"))
        await self.assert_served_by("alpha")

    @coroutine
    async def test_ties_by_name(self) -> None:
        rates = {"input_rate": 7, "output_rate": 7}
        self.start({"gamma": rates, "beta": rates, "alpha": {"base_fee": 1}})
        await self.assert_served_by("beta")

    @coroutine
    async def test_next_cheapest_takes_over(self) -> None:
        self.providers["alpha"].script = fails(500)
        self.start()
        answer = await self.ask()
        self.assertEqual(answer.header("X-Arbstr-Provider"), "beta")
        self.assertEqual(self.providers["gamma"].requests, [])

    @coroutine
    async def test_savings(self) -> None:
        """
        The row tells what the dearest would have cost.
        """
        self.start()
        await self.assert_served_by("alpha")
        (row,) = self.ledger.rows
        self.assertEqual(float(row.cost_sats or 0), 0.03)
        self.assertEqual(float(row.baseline_cost_sats or 0), 0.09)

    @coroutine
    async def test_max_cost(self) -> None:
        """
        Only those within the client's own limit are tried.
        """
        self.providers["alpha"].script = fails(500)
        self.start()
        answer = await self.ask(headers={"X-Arbstr-Max-Cost-Sats": "0.1"})
        self.assertEqual(answer.status, 502)
        self.assertEqual(answer.header("X-Arbstr-Retries"), "3/alpha")


class PolicyTests(RoutingTestCase):
    """
    Policies that a request names, or that its words call for.
    """

    def start_with(self, *rules: dict[str, Any]) -> None:
        self.start(policies={"rules": rules})

    @coroutine
    async def test_named(self) -> None:
        self.start_with({"name": "careful", "providers": {"only": ["gamma"]}})
        await self.assert_served_by("gamma", X_Arbstr_Policy="careful")
        self.assertEqual(self.ledger.rows[-1].policy, "careful")

    @coroutine
    async def test_not_named(self) -> None:
        self.start_with({"name": "careful", "providers": {"only": ["gamma"]}})
        await self.assert_served_by("alpha")
        self.assertIsNone(self.ledger.rows[-1].policy)

    @coroutine
    async def test_ignored_provider(self) -> None:
        self.start_with({"name": "careful", "providers": {"ignore": ["alpha"]}})
        await self.assert_served_by("beta", X_Arbstr_Policy="careful")

    @coroutine
    async def test_others_do_not_take_over(self) -> None:
        """
        Not even where nobody is left.
        """
        self.providers["alpha"].script = fails(401)
        self.start_with({"name": "careful", "providers": {"only": ["alpha"]}})
        answer = await self.ask(headers={"X-Arbstr-Policy": "careful"})
        self.assertEqual(answer.status, 502)
        self.assertEqual(self.providers["beta"].requests, [])

    @coroutine
    async def test_limit_of_the_output_rate(self) -> None:
        """
        At the limit is within it.
        """
        rule = {"name": "cheap", "max_sats_per_1m_output": 2000}
        self.start({"alpha": {"output_rate": 2001}}, policies={"rules": [rule]})
        await self.assert_served_by("beta", X_Arbstr_Policy="cheap")

    @coroutine
    async def test_limit_of_the_request(self) -> None:
        """
        The fee counts.
        """
        rule = {"name": "frugal", "max_sats_per_request": 1}
        self.start({"alpha": {"base_fee": 1}}, policies={"rules": [rule]})
        self.providers["beta"].script = fails(401)
        self.providers["gamma"].script = fails(401)
        answer = await self.ask(headers={"X-Arbstr-Policy": "frugal"})
        self.assertEqual(answer.header("X-Arbstr-Retries"), "1/beta, 1/gamma")
        self.assertEqual(self.providers["alpha"].requests, [])

    @coroutine
    async def test_keyword(self) -> None:
        self.start_with(CAREFUL)
        await self.assert_served_by("gamma", user("Mind the CONTRACT, please"))
        self.assertEqual(self.ledger.rows[-1].policy, "careful")

    @coroutine
    async def test_keyword_in_parts(self) -> None:
        parts = [{"type": "text", "text": "my contract"}]
        self.start_with(CAREFUL)
        await self.assert_served_by(
            "gamma", chat(messages=[{"role": "user", "content": parts}])
        )

    @coroutine
    async def test_keyword_within_a_word(self) -> None:
        self.start_with(CAREFUL)
        await self.assert_served_by("alpha", user("contractions"))

    @coroutine
    async def test_keyword_of_an_earlier_message(self) -> None:
        """
        Only the last user message counts.
        """
        self.start_with(CAREFUL)
        messages = [
            {"role": "user", "content": "my contract"},
            {"role": "assistant", "content": "your contract"},
            {"role": "user", "content": "thanks"},
        ]
        await self.assert_served_by("alpha", chat(messages=messages))

    @coroutine
    async def test_first_rule_wins(self) -> None:
        other = {"name": "other", "keywords": ["contract", "please"]}
        self.start_with(CAREFUL, other)
        await self.assert_served_by("gamma", user("contract, please"))
        await self.assert_served_by("alpha", user("please"))

    @coroutine
    async def test_header_beats_keyword(self) -> None:
        self.start_with(CAREFUL, {"name": "other"})
        await self.assert_served_by(
            "alpha", user("my contract"), X_Arbstr_Policy="other"
        )

    @coroutine
    async def test_allowed_model(self) -> None:
        self.start_with({"name": "small", "allowed_models": [MODEL]})
        await self.assert_served_by("alpha", X_Arbstr_Policy="small")


class ProviderHeaderTests(RoutingTestCase):
    """
    C{X-Arbstr-Provider}.
    """

    @coroutine
    async def test_only_this_one(self) -> None:
        self.start()
        await self.assert_served_by("gamma", X_Arbstr_Provider="gamma")

    @coroutine
    async def test_no_other_takes_over(self) -> None:
        self.providers["beta"].script = fails(500)
        self.start()
        answer = await self.ask(headers={"X-Arbstr-Provider": "beta"})
        self.assertEqual(answer.status, 502)
        self.assertEqual(self.providers["alpha"].requests, [])
        self.assertEqual(len(self.providers["beta"].requests), 3)

    @coroutine
    async def test_within_the_policy(self) -> None:
        self.start(policies={"rules": [CAREFUL]})
        headers = {"X-Arbstr-Policy": "careful", "X-Arbstr-Provider": "alpha"}
        answer = await self.ask(headers=headers)
        self.assertEqual(answer.status, 400)
        self.assertEqual(answer.error()["code"], "no_policy_match")

    @coroutine
    async def test_that_does_not_have_the_model(self) -> None:
        self.start({"gamma": {"models": ["other"]}})
        answer = await self.ask(headers={"X-Arbstr-Provider": "gamma"})
        self.assertEqual(answer.status, 400)
        self.assertEqual(answer.error()["code"], "no_policy_match")
