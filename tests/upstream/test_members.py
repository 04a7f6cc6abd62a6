"""
Tests for L{arbstr.upstream.members}.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.errors import ApiError
from arbstr.upstream.members import parse_object, rewrite

from .json_values import json_values, unhurried

json_objects = st.dictionaries(st.text(max_size=9), json_values, max_size=5)
# JSON in every layout that the standard library writes.
layouts = st.fixed_dictionaries(
    {
        "indent": st.sampled_from([None, 0, 3, "\t"]),
        "separators": st.sampled_from([(",", ":"), (" , ", " : "), (",\r\n", ":\t")]),
        "ensure_ascii": st.booleans(),
    }
)


def nested(levels: int, innermost: str = "") -> bytes:
    """
    An object with so many levels of objects and arrays, itself counted.
    """
    inner = "[" * (levels - 1) + innermost + "]" * (levels - 1)
    return f'{{"a": {inner}}}'.encode()


def of_many(members: int) -> bytes:
    """
    An object with so many members.
    """
    return json.dumps({f"m{number}": number for number in range(members)}).encode()


class ParseTests(SynchronousTestCase):
    """
    L{parse_object} finds the members of an object.
    """

    def test_members(self) -> None:
        """
        Each member has its key, its value and its place in the text.
        """
        text, members = parse_object(b' { "a" : 1.10 ,\t"b":[ 2 ]\n} ')
        self.assertEqual([(m.key, m.value) for m in members], [("a", 1.1), ("b", [2])])
        self.assertEqual(
            [text[m.start : m.end] for m in members], ['"a" : 1.10', '"b":[ 2 ]']
        )
        self.assertEqual(
            [text[m.value_start : m.end] for m in members], ["1.10", "[ 2 ]"]
        )

    def test_empty(self) -> None:
        """
        An object may have none.
        """
        self.assertEqual(parse_object(b"{ }"), ("{ }", ()))

    def test_repeated(self) -> None:
        """
        A key that is there twice is two members.
        """
        _, members = parse_object(b'{"a":1,"a":2}')
        self.assertEqual([(m.key, m.value) for m in members], [("a", 1), ("a", 2)])

    def test_escaped_key(self) -> None:
        """
        Keys are told apart by what they mean, not by how they are written.
        """
        _, members = parse_object(rb'{"mod\u0065l": 1}')
        self.assertEqual(members[0].key, "model")

    def test_depth(self) -> None:
        """
        Sixty-four levels are deep enough, and there may be any number beside each
        other.
        """
        flat = nested(2, ",".join(["{}"] * 100))
        long = nested(64, f'"{"x" * 100_000}"')
        for body in (nested(64), nested(64, "1"), nested(64, '"[[["'), flat, long):
            self.assertEqual(len(parse_object(body)[1]), 1, body)

    def test_many(self) -> None:
        """
        A thousand members are not too many.
        """
        self.assertEqual(len(parse_object(of_many(1000))[1]), 1000)

    @unhurried
    @given(json_objects, layouts)
    def test_any_object(self, value: dict[str, Any], layout: dict[str, Any]) -> None:
        """
        However it is laid out, the members are those of the object.
        """
        written = json.dumps(value, **layout).encode(errors="backslashreplace")
        text, members = parse_object(written)
        self.assertEqual({m.key: m.value for m in members}, value)
        for member in members:
            self.assertEqual(
                json.loads(text[member.value_start : member.end]), member.value
            )


class RefusalTests(SynchronousTestCase):
    """
    Everything else is refused, and the client is told why.
    """

    def refused(self, body: bytes) -> str:
        """
        What the client is told.
        """
        error = self.assertRaises(ApiError, parse_object, body)
        self.assertEqual((error.status, error.type), (400, "invalid_request_error"))
        return str(error)

    def test_not_json(self) -> None:
        """
        The error tells where it stops being JSON.
        """
        self.assertEqual(
            self.refused(b'{"a": nope}'),
            "The body is not valid JSON: Expecting value: line 1 column 7 (char 6)",
        )

    def test_broken_json(self) -> None:
        """
        JSON is taken strictly, and to its end.
        """
        broken = (
            b"",
            b" ",
            b"{",
            b'{"a"',
            b'{"a":',
            b'{"a":1',
            b'{"a":1,',
            b'{"a":1,}',
            b"{,}",
            b'{"a":1 "b":2}',
            b'{"a":1}}',
            b'{"a":1} {}',
            b"{'a':1}",
            b"{a:1}",
            b"{1:1}",
            b'{"a":01}',
            b'{"a":+1}',
            b'{"a":.5}',
            b'{"a":"\n"}',
            b'{"a":"\\x41"}',
            b'{"a":"\\ud8"}',
            b'{"a":1}//',
            b"\xef\xbb\xbf{}",
            b"\x00{}",
            b"{\x0c}",
        )
        for body in broken:
            message = self.refused(body)
            self.assertTrue(message.startswith("The body is not valid JSON: "), body)

    def test_not_a_number(self) -> None:
        """
        What Python takes for numbers and JSON does not know is refused,
        however deep it is.
        """
        for name in ("NaN", "Infinity", "-Infinity"):
            for body in (f'{{"a":{name}}}', f'{{"a":[{{"b":{name}}}]}}', name):
                self.assertEqual(
                    self.refused(body.encode()),
                    f"The body is not valid JSON: {name} is not JSON",
                )

    def test_too_many_digits(self) -> None:
        """
        A number with thousands of digits would take its time.
        """
        self.assertEqual(
            self.refused(b'{"a":%s}' % (b"9" * 5000)),
            "The body is not valid JSON: a number has too many digits",
        )

    def test_not_an_object(self) -> None:
        """
        JSON that is no object is told as that.
        """
        for body in (b"[]", b'"{}"', b"1", b"null", b"true", b'[{"model":"m"}]'):
            self.assertEqual(
                self.refused(body),
                "The body: expected a JSON object, found another value",
            )

    def test_not_utf8(self) -> None:
        """
        The error tells where it stops being UTF-8.
        """
        self.assertEqual(
            self.refused(b'{"a":"\xff"}'),
            "The body is not UTF-8: invalid byte at offset 6",
        )

    def test_other_encodings(self) -> None:
        """
        UTF-16 is not UTF-8, nor are encoded surrogates.
        """
        for body in ('{"a":1}'.encode("utf-16"), b'{"a":"\xed\xa0\x80"}'):
            self.assertTrue(self.refused(body).startswith("The body is not "), body)

    def test_too_deep(self) -> None:
        """
        Sixty-five levels are too many, with something in the innermost or
        without.
        """
        objects = b'{"a":' * 65 + b"1" + b"}" * 65
        long = nested(65, f'"{"x" * 100_000}"')
        for body in (nested(65), nested(65, "1"), nested(66), objects, long):
            self.assertEqual(
                self.refused(body), "The body is nested deeper than 64 levels"
            )

    def test_too_many(self) -> None:
        """
        One more is, even if it is the same again.
        """
        for body in (of_many(1001), b'{"a":1' + b',"a":1' * 1000 + b"}"):
            self.assertEqual(self.refused(body), "The body has more than 1000 members")

    def test_far_too_deep(self) -> None:
        """
        So are those that exhaust the decoder's own stack.
        """
        for body in (nested(200_000), b"[" * 200_000 + b"]" * 200_000):
            self.assertEqual(
                self.refused(body), "The body is nested deeper than 64 levels"
            )

    @unhurried
    @given(
        st.binary() | st.text(alphabet='{}[]":,1a\\ \n', max_size=20).map(str.encode)
    )
    def test_anything(self, body: bytes) -> None:
        """
        Whatever comes is an object to the standard library, too, or refused.
        """
        try:
            _, members = parse_object(body)
        except ApiError as error:
            self.assertEqual(error.status, 400)
        else:
            self.assertEqual({m.key: m.value for m in members}, json.loads(body))


class RewriteTests(SynchronousTestCase):
    """
    L{rewrite} changes some members and leaves the others alone.
    """

    def rewritten(self, written: str, *args: Any) -> str:
        """
        The object after these changes.
        """
        text, members = parse_object(written.encode())
        return rewrite(text, members, *args)

    def test_change(self) -> None:
        """
        A member is changed where it stands.
        """
        self.assertEqual(
            self.rewritten('{"a" : 1.10, "b": 2, "c":3}', {"b": "[]"}),
            '{"a" : 1.10,"b":[],"c":3}',
        )

    def test_add(self) -> None:
        """
        A new member comes last.
        """
        self.assertEqual(self.rewritten('{"a":1}', {"b": "2"}), '{"a":1,"b":2}')
        self.assertEqual(self.rewritten("{ }", {"b": "2"}), '{"b":2}')

    def test_remove(self) -> None:
        """
        A member is removed however often it is there.
        """
        self.assertEqual(
            self.rewritten('{"a":1,"b":2,"a":3,"b":4}', {}, {"a"}), '{"b":2,"b":4}'
        )
