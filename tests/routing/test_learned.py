"""
Tests for L{arbstr.routing.learned} and L{arbstr.routing.observation}.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.ledger.row import AttemptRow, RequestLog
from arbstr.routing.learned import ENOUGH_SAMPLES, WINDOW, Learned, Service
from arbstr.routing.observation import (
    AttemptSample,
    Observation,
    read_row,
    understand,
)

from .market import MODEL, attempt, learn

counts = st.none() | st.integers(0, 10_000)
attempts = st.builds(
    AttemptSample,
    st.sampled_from(["alpha", "beta"]),
    st.none() | st.booleans(),
    st.none() | st.integers(0, 90_000).map(lambda ms: ms / 1000),
)
observations = st.builds(
    Observation,
    st.sampled_from(["gpt-4o", "llama"]),
    st.none() | st.just("code"),
    input_chars=counts,
    input_tokens=counts,
    output_tokens=counts,
    attempts=st.lists(attempts, min_size=1, max_size=3).map(tuple),
)


attempt_rows = st.builds(
    AttemptRow,
    st.sampled_from(["alpha", "beta"]),
    counts.map(lambda count: count or 0),
    counts.map(lambda count: count or 0),
    st.sampled_from(["ok", "4xx", "5xx", "timeout", "cancelled"]),
    counts,
)
logs = st.builds(
    RequestLog,
    request_id=st.just("r"),
    timestamp=st.just(datetime(2026, 11, 22, tzinfo=UTC)),
    streaming=st.booleans(),
    success=st.booleans(),
    latency_ms=st.integers(0, 1000),
    model=st.none() | st.just(MODEL),
    policy=st.none() | st.just("code"),
    input_chars=counts,
    input_tokens=counts,
    output_tokens=counts,
    tokens_estimated=st.booleans(),
    choices=st.integers(1, 3),
    error_status=st.none() | st.sampled_from([400, 429, 502]),
    attempts=st.lists(attempt_rows, max_size=3).map(tuple),
)


def answer(output_tokens: int, **fields: Any) -> Observation:
    """
    A request of which the length of its answer is known.
    """
    return Observation(MODEL, output_tokens=output_tokens, **fields)


def prompt(input_chars: int | None, input_tokens: int) -> Observation:
    """
    A request of which the length of its prompt is known.
    """
    return Observation(MODEL, input_chars=input_chars, input_tokens=input_tokens)


def row(*attempts: object, **fields: object) -> Mapping[str, object]:
    """
    A logged request for L{MODEL}.
    """
    return {"model": MODEL, "attempts": list(attempts), **fields}


class LearnedTestCase(SynchronousTestCase):
    """
    Looks at what was learned of L{MODEL}.
    """

    def service(self, learned: Learned, provider: str = "alpha") -> Service:
        """
        How a provider serves that is known.
        """
        service = learned.service(provider, MODEL)
        assert service is not None
        return service

    def first_byte(self, learned: Learned, provider: str = "alpha") -> float:
        """
        How soon a provider answers that has answered.
        """
        seconds = self.service(learned, provider).first_byte_seconds
        assert seconds is not None
        return seconds


class OutputTests(LearnedTestCase):
    """
    How long answers are.
    """

    def test_too_few(self) -> None:
        """
        A mean of fewer than twenty is none.
        """
        learned = learn(answer(100), times=ENOUGH_SAMPLES - 1)
        self.assertIsNone(learned.output_tokens(None, MODEL))
        learned.observe(answer(100))
        self.assertEqual(learned.output_tokens(None, MODEL), 100)

    def test_mean(self) -> None:
        """
        It is the mean that counts.
        """
        learned = learn(answer(100), answer(300), times=ENOUGH_SAMPLES)
        mean = learned.output_tokens(None, MODEL)
        assert mean is not None
        self.assertAlmostEqual(mean, 200)

    def test_policies_apart(self) -> None:
        """
        Each policy has its own.
        """
        learned = learn(answer(10), answer(500, policy="essay"), times=ENOUGH_SAMPLES)
        self.assertEqual(learned.output_tokens(None, MODEL), 10)
        self.assertEqual(learned.output_tokens("essay", MODEL), 500)
        self.assertIsNone(learned.output_tokens("code", MODEL))

    def test_choices(self) -> None:
        """
        What counts is one answer of those that were asked for.
        """
        learned = learn(answer(400, choices=4), times=ENOUGH_SAMPLES)
        self.assertEqual(learned.output_tokens(None, MODEL), 100)

    def test_follows_changes(self) -> None:
        """
        However many there were before, a few thousand make up another mean.
        """
        learned = learn(answer(100), times=5 * WINDOW)
        for _ in range(5 * WINDOW):
            learned.observe(answer(500))
        mean = learned.output_tokens(None, MODEL)
        assert mean is not None
        self.assertApproximates(mean, 500, 5)

    def test_beyond_belief(self) -> None:
        """
        One absurd number does not make the rest worthless for ever.
        """
        learned = learn(answer(100), times=WINDOW)
        learned.observe(answer(2**53))
        mean = learned.output_tokens(None, MODEL)
        assert mean is not None
        self.assertLess(mean, 1200)


class PromptTests(LearnedTestCase):
    """
    How models count.
    """

    def test_ratio(self) -> None:
        """
        Long prompts count for more than short ones.
        """
        learned = learn(prompt(100, 100), prompt(1900, 300), times=ENOUGH_SAMPLES)
        ratio = learned.chars_per_token(MODEL)
        assert ratio is not None
        self.assertAlmostEqual(ratio, 5)

    def test_too_few(self) -> None:
        """
        A few prompts tell nothing.
        """
        learned = learn(prompt(300, 100), times=ENOUGH_SAMPLES - 1)
        self.assertIsNone(learned.chars_per_token(MODEL))

    def test_incomplete(self) -> None:
        """
        Nor does a prompt of which only one length is known, or none is left.
        """
        learned = learn(
            prompt(None, 100), prompt(100, 0), prompt(0, 100), times=ENOUGH_SAMPLES
        )
        self.assertIsNone(learned.chars_per_token(MODEL))

    def test_beyond_belief(self) -> None:
        """
        The ratio stays within what there is.
        """
        many = learn(prompt(100, 2**53), times=ENOUGH_SAMPLES)
        self.assertEqual(many.chars_per_token(MODEL), 0.25)
        few = learn(prompt(1_000_000, 1), times=ENOUGH_SAMPLES)
        self.assertEqual(few.chars_per_token(MODEL), 16)


class ServiceTests(LearnedTestCase):
    """
    How soon and how reliably providers answer.
    """

    def test_unknown(self) -> None:
        """
        Nothing is known of a provider or a model that was not seen.
        """
        learned = learn(attempt("alpha", 0.5))
        self.assertIsNone(learned.service("beta", MODEL))
        self.assertIsNone(learned.service("alpha", "llama"))

    def test_first(self) -> None:
        """
        The first measurement counts as it is.
        """
        service = self.service(learn(attempt("alpha", 0.5)))
        self.assertEqual(service, Service(first_byte_seconds=0.5, success_rate=1))

    def test_peak(self) -> None:
        """
        A slower answer counts in full, at once.
        """
        learned = learn(attempt("alpha", 0.5), attempt("alpha", 4.0))
        self.assertEqual(self.first_byte(learned), 4.0)

    def test_decays(self) -> None:
        """
        A quicker one counts little, many of them count.
        """
        learned = learn(attempt("alpha", 4.0), attempt("alpha", 0.5))
        self.assertGreater(self.first_byte(learned), 3.5)
        for _ in range(100):
            learned.observe(attempt("alpha", 0.5))
        self.assertApproximates(self.first_byte(learned), 0.5, 0.01)

    def test_quick_refusal(self) -> None:
        """
        That an attempt failed quickly makes nobody quick.
        """
        learned = learn(attempt("alpha", 0.001, success=False))
        self.assertIsNone(self.service(learned).first_byte_seconds)
        learned.observe(attempt("alpha", 2.0))
        learned.observe(attempt("alpha", 0.001, success=False))
        self.assertApproximates(self.first_byte(learned), 2.0, 0.01)

    def test_slow_failure(self) -> None:
        """
        That one was waited for in vain makes it slow.
        """
        learned = learn(attempt("alpha", 2.0), attempt("alpha", 30.0, success=False))
        self.assertEqual(self.first_byte(learned), 30.0)

    def test_success_rate(self) -> None:
        """
        It tends to the share of late.
        """
        learned = learn(attempt("alpha"), attempt("alpha", success=False), times=200)
        self.assertApproximates(self.service(learned).success_rate, 0.5, 0.05)

    def test_one_failure(self) -> None:
        """
        One failure among many weighs as little as it should.
        """
        learned = learn(attempt("alpha", 1.0), times=100)
        learned.observe(attempt("alpha", success=False))
        self.assertGreater(self.service(learned).success_rate, 0.9)

    def test_undecided(self) -> None:
        """
        An attempt that says nothing about success is no failure.
        """
        learned = learn(attempt("alpha", 1.0, success=None))
        self.assertEqual(self.service(learned), Service(1.0, 1))

    def test_failures_are_forgiven(self) -> None:
        """
        While others serve, bad experience fades: at last it is as if there had
        been none.
        """
        learned = learn(attempt("alpha", success=False))
        for _ in range(5000):
            learned.observe(attempt("beta", 1.0))
        self.assertIsNone(learned.service("alpha", MODEL))

    def test_slowness_is_forgiven(self) -> None:
        """
        So whoever was slow once gets another chance.
        """
        learned = learn(attempt("alpha", 4.0))
        for _ in range(5000):
            learned.observe(attempt("beta", 1.0))
        self.assertLess(self.first_byte(learned), self.first_byte(learned, "beta"))

    def test_other_models(self) -> None:
        """
        Requests for other models are no passing of time.
        """
        learned = learn(attempt("alpha", 4.0))
        for _ in range(5000):
            learned.observe(attempt("beta", 1.0, model="llama"))
        self.assertEqual(self.first_byte(learned), 4.0)


class MemoryTests(SynchronousTestCase):
    """
    What is remembered is bounded.
    """

    def test_least_recently_observed(self) -> None:
        """
        Who was not seen for longest gives way.
        """
        learned = Learned(most_keys=2)
        for name in ("alpha", "beta", "alpha", "gamma"):
            learned.observe(attempt(name, 1.0))
        self.assertIsNotNone(learned.service("alpha", MODEL))
        self.assertIsNone(learned.service("beta", MODEL))
        self.assertIsNotNone(learned.service("gamma", MODEL))

    def test_models(self) -> None:
        """
        That goes for models and their answers, too.
        """
        learned = Learned(most_keys=1)
        for model in ("gpt-4o", "llama"):
            for _ in range(ENOUGH_SAMPLES):
                learned.observe(
                    Observation(
                        model, input_chars=40, input_tokens=10, output_tokens=10
                    )
                )
        self.assertIsNone(learned.output_tokens(None, "gpt-4o"))
        self.assertIsNone(learned.chars_per_token("gpt-4o"))
        self.assertEqual(learned.output_tokens(None, "llama"), 10)
        self.assertEqual(learned.chars_per_token("llama"), 4)

    def test_long_names(self) -> None:
        """
        A name made up to fill the memory is not remembered.
        """
        name = "x" * 1000
        learned = learn(attempt("alpha", 1.0, model=name))
        self.assertIsNone(learned.service("alpha", name))


class RowTests(SynchronousTestCase):
    """
    L{read_row} understands the log.
    """

    @given(logs)
    def test_as_it_was(self, log: RequestLog) -> None:
        """
        What the log tells of a request is what the request itself told.
        """
        self.assertEqual(read_row(log.as_mapping()), understand(log))

    def attempts(self, row: Mapping[str, object]) -> tuple[AttemptSample, ...]:
        """
        The attempts of a row.
        """
        seen = read_row(row)
        assert seen is not None
        return seen.attempts

    def test_whole(self) -> None:
        """
        Everything that a row tells.
        """
        ok = {"provider": "alpha", "outcome": "ok", "first_byte_ms": 250}
        seen = read_row(
            row(ok, policy="code", input_chars=40, input_tokens=9, output_tokens=7)
        )
        self.assertEqual(
            seen,
            Observation(
                MODEL, "code", 40, 9, 7, attempts=(AttemptSample("alpha", True, 0.25),)
            ),
        )

    def test_nothing(self) -> None:
        """
        A request that was not understood, or for which nobody was asked,
        teaches nothing.
        """
        ok = {"provider": "alpha", "outcome": "ok"}
        self.assertIsNone(read_row({"model": None, "attempts": [ok]}))
        self.assertIsNone(read_row({"model": "made-up", "attempts": []}))
        self.assertIsNone(read_row({"model": MODEL}))

    def test_estimates(self) -> None:
        """
        Our own estimates teach us nothing.
        """
        cut = {"provider": "alpha", "outcome": "cancelled"}
        seen = read_row(
            row(cut, input_tokens=9, output_tokens=7, tokens_estimated=True)
        )
        self.assertEqual(
            seen, Observation(MODEL, attempts=(AttemptSample("alpha", None),))
        )

    def test_outcomes(self) -> None:
        """
        Failures are failures, and last as long as they were waited for; what
        was cancelled says nothing.
        """
        found = self.attempts(
            row(
                {"provider": "alpha", "outcome": "timeout", "duration_ms": 30_000},
                {"provider": "beta", "outcome": "cancelled", "duration_ms": 5},
            )
        )
        self.assertEqual(
            found,
            (AttemptSample("alpha", False, 30.0), AttemptSample("beta", None, None)),
        )

    def test_the_requests_fault(self) -> None:
        """
        That a request was wrong in itself says nothing about who refused it.
        """
        limited = {"provider": "alpha", "outcome": "4xx"}
        refused = {"provider": "beta", "outcome": "4xx"}
        found = self.attempts(row(limited, refused, error_status=400))
        self.assertEqual(found, (AttemptSample("alpha", False),))

    def test_the_providers_fault(self) -> None:
        """
        That it would not serve us does.
        """
        limited = {"provider": "alpha", "outcome": "4xx"}
        for status in (404, 429, 502, None):
            found = self.attempts(row(limited, error_status=status))
            self.assertEqual(found, (AttemptSample("alpha", False),), status)

    def test_broken(self) -> None:
        """
        What makes no sense is unknown.
        """
        broken: list[object] = [None, {}, {"provider": 1, "outcome": "ok"}, "x"]
        for wrong in (-1, 10**400, float("nan"), float("inf"), True, "9"):
            broken.append(
                {"provider": "alpha", "outcome": "ok", "first_byte_ms": wrong}
            )
        seen = read_row(
            row(*broken, policy=7, input_chars="9", input_tokens=True, output_tokens=-1)
        )
        self.assertEqual(
            seen, Observation(MODEL, attempts=(AttemptSample("alpha", True),) * 6)
        )


class RestoreTests(SynchronousTestCase):
    """
    What was learned survives in the log.
    """

    @given(st.lists(st.tuples(observations, st.integers(1, 30)), max_size=6))
    def test_restored(self, parts: list[tuple[Observation, int]]) -> None:
        """
        Restoring is the same as having been there.
        """
        seen = [observation for observation, times in parts for _ in range(times)]
        restored = Learned()
        restored.restore([logged(each) for each in seen])
        self.assertEqual(everything(restored), everything(learn(*seen)))


def logged(seen: Observation) -> Mapping[str, object]:
    """
    How the log tells of a request.
    """
    outcomes = {True: "ok", False: "5xx", None: "cancelled"}
    return {
        "model": seen.model,
        "policy": seen.policy,
        "input_chars": seen.input_chars,
        "input_tokens": seen.input_tokens,
        "output_tokens": seen.output_tokens,
        "tokens_estimated": False,
        "error_status": None,
        "attempts": [
            {
                "provider": each.provider,
                "outcome": outcomes[each.success],
                "first_byte_ms": None
                if each.first_byte_seconds is None
                else round(each.first_byte_seconds * 1000),
            }
            for each in seen.attempts
        ],
    }


def everything(learned: Learned) -> list[object]:
    """
    All that can be asked about what L{observations} mention.
    """
    told: list[object] = []
    for model in ("gpt-4o", "llama"):
        told.append(learned.chars_per_token(model))
        told += [learned.output_tokens(policy, model) for policy in (None, "code")]
        told += [learned.service(name, model) for name in ("alpha", "beta")]
    return told
