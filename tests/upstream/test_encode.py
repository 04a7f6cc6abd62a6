"""
Tests for L{arbstr.upstream.wire}: what of a request each provider gets.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.upstream.wire import ChatRequest

from .json_values import json_values, unhurried

KNOWN = {"stream", "stream_options", "n", "max_tokens", "max_completion_tokens"}
unknown_names = st.text(max_size=9).filter(lambda name: name not in KNOWN)

# Members whose text would not survive being decoded and encoded again.
DELICATE = (
    '"big" : 123456789012345678901234567890',
    '"price": 1.10',
    '"huge":1e999',
    '"tiny" :1E-5',
    r'"escaped":"\u00e9\/"',
    r'"é":"ü\ud83d"',
    '"twice":1',
    '"twice":2',
    '"list": [ 1,2 ,3 ]',
)
PLAIN = '"model":"m","messages":[]'


def request(*members: str) -> ChatRequest:
    """
    A request with these members, besides a model C{m} and no messages.
    """
    return ChatRequest.parse(f"{{{' , '.join([PLAIN, *members])}\n}}".encode())


class UnchangedTests(SynchronousTestCase):
    """
    A request that needs no change goes out as it came.
    """

    def assertUnchanged(self, *members: str, **provider: Any) -> None:
        """
        These very bytes go out.
        """
        sent = request(*members)
        self.assertIs(sent.encode("m", **provider), sent.body)

    def test_buffered(self) -> None:
        """
        One that is not streamed.
        """
        self.assertUnchanged(*DELICATE)

    def test_stream_with_usage(self) -> None:
        """
        A stream whose usage the client wants itself.
        """
        self.assertUnchanged('"stream":true,"stream_options":{"include_usage":true}')

    def test_options_without_stream(self) -> None:
        """
        Options that make no sense are the client's business.
        """
        self.assertUnchanged('"stream_options":{"include_usage":false}')

    def test_limits(self) -> None:
        """
        Whichever limit the client sent, most providers get that.
        """
        self.assertUnchanged('"max_completion_tokens":5')
        self.assertUnchanged('"max_tokens":null')

    def test_routstr(self) -> None:
        """
        A Routstr node, too, where the limit is the one that it heeds, or where
        there is none.
        """
        self.assertUnchanged('"max_tokens":5', routstr=True)
        self.assertUnchanged('"temperature":1', routstr=True)


class AliasTests(SynchronousTestCase):
    """
    A provider that has another id for the model gets that.
    """

    def test_in_its_place(self) -> None:
        """
        The model is changed where it stands.
        """
        sent = ChatRequest.parse(b'{"a":1,"model":"m","messages":[]}')
        self.assertEqual(
            sent.encode("vendor/M"), b'{"a":1,"model":"vendor/M","messages":[]}'
        )

    def test_others_stay(self) -> None:
        """
        Every other member keeps its text: its digits, its spaces, its escapes,
        its place, and its double.
        """
        self.assertEqual(
            request(*DELICATE).encode("x").decode(),
            "{" + ",".join(['"model":"x"', '"messages":[]', *DELICATE]) + "}",
        )

    def test_quoted(self) -> None:
        """
        The id is written as JSON has it.
        """
        sent = request('"a":1').encode('say "é"')
        self.assertEqual(json.loads(sent)["model"], 'say "é"')

    @unhurried
    @given(
        st.dictionaries(unknown_names, json_values, max_size=5),
        st.text(min_size=1),
        st.sampled_from([None, 2]),
    )
    def test_any_request(
        self, members: dict[str, Any], model: str, indent: int | None
    ) -> None:
        """
        Whatever else a request says arrives.
        """
        body = {**members, "model": "m", "messages": []}
        sent = ChatRequest.parse(json.dumps(body, indent=indent).encode()).encode(model)
        self.assertEqual(json.loads(sent), {**body, "model": model})
        self.assertEqual(list(json.loads(sent)), list(body))


class UsageTests(SynchronousTestCase):
    """
    Every provider is asked for usage in a stream.
    """

    def assertAsked(self, options: str, expected: str) -> None:
        """
        With these members, a stream goes out with these options.
        """
        self.assertEqual(
            request(f'"stream":true{options}').encode("m").decode(),
            f'{{{PLAIN},"stream":true,"stream_options":{expected}}}',
        )

    def test_not_asked_for(self) -> None:
        """
        A client that says nothing of it.
        """
        self.assertAsked("", '{"include_usage":true}')

    def test_null(self) -> None:
        """
        One that says that it has no options.
        """
        self.assertAsked(',"stream_options":null', '{"include_usage":true}')

    def test_refused(self) -> None:
        """
        One that says no: we have to know all the same.
        """
        self.assertAsked(
            ',"stream_options":{"include_usage":false}', '{"include_usage":true}'
        )

    def test_other_options(self) -> None:
        """
        Other options keep their text.
        """
        self.assertAsked(
            ',"stream_options": { "a": 1.10, "include_usage": null, "b" :1e999 }',
            '{"a": 1.10,"include_usage":true,"b" :1e999}',
        )

    def test_with_alias(self) -> None:
        """
        The model is changed at the same time.
        """
        self.assertEqual(
            json.loads(request('"stream":true').encode("x")),
            {
                "model": "x",
                "messages": [],
                "stream": True,
                "stream_options": {"include_usage": True},
            },
        )


class RoutstrTests(SynchronousTestCase):
    """
    Routstr nodes reserve by C{max_tokens} alone, and refuse it as C{null}.
    """

    def assertSent(self, members: str, expected: str) -> None:
        """
        A node gets these members instead.
        """
        self.assertEqual(
            request(members).encode("m", routstr=True).decode(),
            f"{{{PLAIN}{expected}}}",
        )

    def test_renamed(self) -> None:
        """
        The newer limit is sent under the older name.
        """
        self.assertSent('"max_completion_tokens": 5,"a":1', ',"a":1,"max_tokens":5')

    def test_both(self) -> None:
        """
        Of both, the one that counts is sent.
        """
        self.assertSent('"max_tokens":9,"max_completion_tokens":5', ',"max_tokens":5')

    def test_null(self) -> None:
        """
        A limit of C{null} is left out.
        """
        self.assertSent('"max_tokens":null,"a":1', ',"a":1')

    def test_null_beside_a_limit(self) -> None:
        """
        Unless there is a limit under the other name.
        """
        self.assertSent(
            '"max_tokens":null,"max_completion_tokens":5', ',"max_tokens":5'
        )

    def test_other_limit_null(self) -> None:
        """
        The newer limit as C{null} takes nothing away from the older.
        """
        self.assertSent(
            '"max_tokens":5,"max_completion_tokens":null', ',"max_tokens":5'
        )
