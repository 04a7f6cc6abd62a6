"""
Tests for L{arbstr.config.hosts}.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.hosts import is_link_local

numbers = st.integers(0, 2**32 - 1)


class IsLinkLocalTests(SynchronousTestCase):
    """
    L{is_link_local} knows an address in every spelling.
    """

    def assert_refused(self, *hosts: str) -> None:
        for host in hosts:
            self.assertTrue(is_link_local(host), host)

    def assert_allowed(self, *hosts: str) -> None:
        for host in hosts:
            self.assertFalse(is_link_local(host), host)

    def test_dotted(self) -> None:
        self.assert_refused("169.254.169.254", "169.254.0.0", "169.254.255.255")

    def test_one_number(self) -> None:
        self.assert_refused("2852039166", "0xA9FEA9FE", "0xa9fea9fe", "025177524776")

    def test_other_bases(self) -> None:
        self.assert_refused(
            "0251.0376.0251.0376", "0xa9.0xfe.0xa9.0xfe", "169.0376.0xA9.254"
        )

    def test_fewer_dots(self) -> None:
        """
        The last number fills the rest.
        """
        self.assert_refused("169.16689662", "169.254.43518", "169.0xfea9fe")

    def test_dot_at_the_end(self) -> None:
        self.assert_refused(
            "169.254.169.254.", "0xA9FEA9FE.", "metadata.google.internal."
        )

    def test_ipv6(self) -> None:
        """
        With or without a zone, in brackets or without.
        """
        self.assert_refused(
            "fe80::1", "FE80::1", "[fe80::1]", "fe80::1%eth0", "[fe80::1%25eth0]",
            "febf::1", "fe80:0:0:0:0:0:0:1",
        )  # fmt: skip

    def test_inside_ipv6(self) -> None:
        """
        Mapped, compatible, translated, and by 6to4.
        """
        self.assert_refused(
            "::ffff:169.254.169.254",
            "[::ffff:a9fe:a9fe]",
            "0:0:0:0:0:ffff:a9fe:a9fe",
            "::169.254.169.254",
            "::ffff:0:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
        )

    def test_percent_signs(self) -> None:
        self.assert_refused(
            "169%2E254%2e169.254", "%31%36%39.254.169.254", "169%252E254.1.1"
        )

    def test_other_characters(self) -> None:
        """
        Full-width digits and ideographic dots become plain ones on their way.
        """
        self.assert_refused(
            "\uff11\uff16\uff19.254.169.254", "169\u3002254\uff0e1\uff611"
        )

    def test_metadata(self) -> None:
        """
        Clouds tell credentials at some other addresses, too, and under names.
        """
        self.assert_refused(
            "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "0x646464c8",
            "metadata.google.internal", "Metadata.Google.Internal", "metadata.goog",
            "instance-data",
        )  # fmt: skip

    def test_others(self) -> None:
        """
        One's own machine and network, the rest of the world, and names.
        """
        self.assert_allowed(
            "127.0.0.1", "localhost", "10.0.0.1", "192.168.169.254", "169.253.1.1",
            "169.255.1.1", "8.8.8.8", "::1", "[::1]", "fd00::1", "2001:db8::1",
            "::ffff:127.0.0.1", "64:ff9b::8.8.8.8", "0xa9fe.example", "api.openai.com",
            "169.254.169.254.example", "metadata", "x.metadata.goog.example",
        )  # fmt: skip

    def test_nonsense(self) -> None:
        """
        What is no host at all is not link-local.
        """
        self.assert_allowed(
            "", ".", "..", "%", "[", "0x", "169.254.169.254.1", "169..254", "-1",
            "99999999999", "169.256.0.1", "\ud800",
        )  # fmt: skip

    @given(numbers, st.sampled_from(("{}", "0x{:x}", "0X{:X}", "0{:o}")))
    def test_as_the_resolver_reads_it(self, number: int, form: str) -> None:
        """
        A number means what the system takes it for.
        """
        written = form.format(number)
        packed = socket.inet_aton(written)
        self.assertEqual(is_link_local(written), IPv4Address(packed).is_link_local)

    @given(st.lists(st.integers(0, 255), min_size=3, max_size=3), numbers)
    def test_as_the_resolver_reads_parts(self, first: list[int], last: int) -> None:
        """
        So do several.
        """
        for count in (1, 2, 3):
            parts = [169, 254, *first][:count]
            written = ".".join(map(str, [*parts, last % 256 ** (4 - count)]))
            packed = socket.inet_aton(written)
            self.assertEqual(is_link_local(written), IPv4Address(packed).is_link_local)
