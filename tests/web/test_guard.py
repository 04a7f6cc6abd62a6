"""
Tests for L{arbstr.web.guard}: whom it lets in.
"""

from __future__ import annotations

from uuid import UUID

from .guarding import TOKEN, GuardTestCase
from .incoming import Incoming


class RequestIdTests(GuardTestCase):
    """
    Every answer carries the request's id.
    """

    def assert_has_id(self, incoming: Incoming) -> str:
        """
        It is a UUID, under both names.
        """
        request_id = incoming.header("X-Arbstr-Request-Id") or ""
        self.assertEqual(str(UUID(request_id)), request_id)
        self.assertEqual(incoming.header("X-Request-Id"), request_id)
        return request_id

    def test_passed(self) -> None:
        """
        Also those of the application.
        """
        self.assert_has_id(self.send())

    def test_refused(self) -> None:
        """
        Also errors.
        """
        self.assert_has_id(self.send(Host="evil.example"))

    def test_unique(self) -> None:
        """
        No two requests have the same.
        """
        first = self.assert_has_id(self.send())
        self.assertNotEqual(self.assert_has_id(self.send()), first)


class HostTests(GuardTestCase):
    """
    C{Host} must be a name of ours, or a page that has its name resolve to us
    could talk to us.
    """

    def assert_ours(self, *hosts: str) -> None:
        """
        These get through.
        """
        for host in hosts:
            self.assert_passes(self.send(Host=host))

    def assert_foreign(self, *hosts: str) -> None:
        """
        These do not.
        """
        for host in hosts:
            error = self.assert_refused(self.send(Host=host), 403, "permission_error")
            self.assertIn(f"'{host}'", error["message"])

    def test_local_names(self) -> None:
        """
        With and without a port, in any case.
        """
        self.assert_ours("localhost", "localhost:8080", "LocalHost", "127.0.0.1:80")

    def test_local_ipv6(self) -> None:
        """
        In the brackets that URLs want around it.
        """
        self.assert_ours("[::1]", "[::1]:8080")

    def test_foreign(self) -> None:
        """
        Looking like one of ours is not enough.
        """
        self.assert_foreign(
            "evil.example", "localhost.evil.example", "evil.example:8080", "127.0.0.10"
        )

    def test_foreign_ipv6(self) -> None:
        """
        Nor is another address.
        """
        self.assert_foreign("[::2]", "[::1:1]:8080")

    def test_malformed(self) -> None:
        """
        What cannot be understood is not ours.
        """
        self.assert_foreign(
            "",
            "[",
            "[::1",
            ":8080",
            "localhost@evil.example",
            "evil.example@localhost",
            "user:pass@localhost",
            "localhost/evil.example",
            "localhost?evil.example",
            "localhost#evil.example",
            "localhost\\evil.example",
            "localhost,evil.example",
            "localhost evil.example",
            "localhost:http",
            "localhost:8080:8080",
            "local%68ost",
            "localhost..",
            "::1",
        )

    def test_other_spellings(self) -> None:
        """
        A dot at the end of a name and zeros in an address change nothing.
        """
        self.configure(allowed_hosts=["box.lan.", "FD00:0::1"])
        self.assert_ours("localhost.:8080", "BOX.lan", "box.lan.", "[0:0:0:0:0:0:0:1]")
        self.assert_ours("[fd00::1]", "[FD00:0:0::0001]:80")

    def test_whole_url_as_target(self) -> None:
        """
        A request to a proxy for somebody else is none for us, whoever is named
        as host: what it names is nothing here.
        """
        self.configure(auth_token=TOKEN)
        for path in ("http://evil.example/healthz", "http://localhost/healthz"):
            incoming = self.send(path=path, Host="localhost")
            self.assert_refused(incoming, 401, "authentication_error")

    def test_no_host(self) -> None:
        """
        HTTP/1.0 has none, and browsers do not speak it.
        """
        self.assert_passes(self.send())

    def test_allowed_hosts(self) -> None:
        """
        Further names come from the configuration.
        """
        self.configure(allowed_hosts=["Box.lan", "192.168.1.5", "fd00::1", "[fd00::2]"])
        self.assert_ours("box.lan:8080", "BOX.LAN", "192.168.1.5")
        self.assert_ours("[fd00::1]:8080", "[fd00::2]:8080", "localhost")
        self.assert_foreign("evil.example")

    def test_listening_address(self) -> None:
        """
        Where we listen is a name of ours.
        """
        self.configure(listen=["192.168.1.5:8080", "[fd00::1]:80"], auth_token=TOKEN)
        for host in ("192.168.1.5:8080", "[fd00::1]"):
            self.assert_passes(self.send(Host=host, Authorization=f"Bearer {TOKEN}"))
        self.assert_foreign("192.168.1.6")

    def test_any_address(self) -> None:
        """
        Listening everywhere does not make every name ours.
        """
        self.configure(listen=["tcp:8080"], auth_token=TOKEN)
        self.assert_foreign("evil.example", "")

    def test_any_host(self) -> None:
        """
        An asterisk does.
        """
        self.configure(allowed_hosts=["*"])
        self.assert_ours("evil.example", "10.0.0.1:80")


class OriginTests(GuardTestCase):
    """
    Pages of other origins have no business here.
    """

    def assert_foreign(self, origin: str) -> None:
        """
        A page of this origin is refused.
        """
        error = self.assert_refused(
            self.send(Host="localhost:8080", Origin=origin), 403, "permission_error"
        )
        self.assertIn(f"'{origin}'", error["message"])

    def test_ours(self) -> None:
        """
        Such as the dashboard.
        """
        self.assert_passes(
            self.send(Host="localhost:8080", Origin="http://localhost:8080")
        )

    def test_ours_ipv6(self) -> None:
        """
        By address, too.
        """
        self.assert_passes(self.send(Host="[::1]:8080", Origin="http://[::1]:8080"))

    def test_foreign(self) -> None:
        """
        Whatever it calls us.
        """
        self.assert_foreign("https://evil.example")

    def test_null(self) -> None:
        """
        Sandboxed pages and local files have this one.
        """
        self.assert_foreign("null")

    def test_malformed(self) -> None:
        """
        What cannot be understood is foreign.
        """
        self.assert_foreign("http://[")
        self.assert_foreign("")
        self.assert_foreign("localhost:8080")
        self.assert_foreign("http://evil.example@localhost:8080")
        self.assert_foreign("http://localhost:8080/")
        self.assert_foreign("file://localhost:8080")
        self.assert_foreign("chrome-extension://localhost:8080")

    def test_other_port(self) -> None:
        """
        What is developed on this machine has its pages on a port of its own.
        """
        for origin in ("http://localhost:3000", "http://127.0.0.1"):
            self.assert_passes(self.send(Host="localhost:8080", Origin=origin))

    def test_allowed_host(self) -> None:
        """
        Names of ours that the configuration knows, though a server before us
        calls us by another.
        """
        self.configure(allowed_hosts=["box.lan"])
        self.assert_passes(self.send(Host="localhost:8080", Origin="https://Box.lan"))
        self.assert_foreign("https://evil.box.lan")

    def test_any_host(self) -> None:
        """
        Where every name may be ours, a page is if it came from that.
        """
        self.configure(allowed_hosts=["*"])
        self.assert_passes(self.send(Host="a.example", Origin="http://a.example"))
        self.assert_passes(self.send(Host="a.example:80", Origin="http://a.example"))
        self.assert_passes(self.send(Host="a.example", Origin="https://a.example"))
        self.assert_foreign("http://a.example")
        incoming = self.send(Host="a.example:8080", Origin="http://a.example:3000")
        self.assert_refused(incoming, 403, "permission_error")

    def test_several(self) -> None:
        """
        One that is foreign is enough.
        """
        incoming = Incoming.make(self.guard, {"Host": "localhost:8080"})
        for origin in ("https://evil.example", "http://localhost:8080"):
            incoming.request.requestHeaders.addRawHeader("Origin", origin)
        incoming.receive("GET", "/providers")
        self.assert_refused(incoming, 403, "permission_error")

    def test_fetched_by_a_foreign_page(self) -> None:
        """
        Though it does not say which, as for images.
        """
        for site in ("cross-site", "same-site", "Cross-Site"):
            for mode in ("no-cors", "cors", ""):
                incoming = self.send(Sec_Fetch_Site=site, Sec_Fetch_Mode=mode)
                self.assert_refused(incoming, 403, "permission_error")

    def test_followed_from_a_foreign_page(self) -> None:
        """
        A link to us can be followed, but nothing can be sent along.
        """
        foreign = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
        self.assert_passes(self.send(**foreign))
        self.assert_refused(self.post(**foreign), 403, "permission_error")

    def test_fetched_by_our_page(self) -> None:
        """
        And by people who enter an address.
        """
        for site in ("same-origin", "none"):
            self.assert_passes(self.send(Sec_Fetch_Site=site, Sec_Fetch_Mode="cors"))

    def test_no_cors(self) -> None:
        """
        No page is told that it may read the answer.
        """
        incoming = self.send(Host="localhost", Origin="http://localhost:8080")
        self.assertIsNone(incoming.header("Access-Control-Allow-Origin"))


class TokenTests(GuardTestCase):
    """
    The bearer token, if there is one.
    """

    def setUp(self) -> None:
        super().setUp()
        self.configure(auth_token=TOKEN)

    def assert_unauthenticated(self, **headers: str) -> None:
        """
        The request is refused, and the client told what is wanted.
        """
        incoming = self.send(**headers)
        error = self.assert_refused(incoming, 401, "authentication_error")
        self.assertEqual(error["code"], "invalid_api_key")
        self.assertEqual(incoming.header("WWW-Authenticate"), "Bearer")

    def test_right(self) -> None:
        """
        Whoever has it gets through.
        """
        self.assert_passes(self.send(Authorization=f"Bearer {TOKEN}"))

    def test_scheme_in_any_case(self) -> None:
        """
        HTTP does not care how the scheme is written.
        """
        for scheme in ("bearer", "BEARER", "BeArEr"):
            self.assert_passes(self.send(Authorization=f"{scheme} {TOKEN}"))

    def test_more_spaces(self) -> None:
        """
        Nor how many spaces follow.
        """
        self.assert_passes(self.send(Authorization=f"Bearer   {TOKEN}"))

    def test_missing(self) -> None:
        """
        Without it, nothing.
        """
        self.assert_unauthenticated()

    def test_wrong(self) -> None:
        """
        Every character counts, and so does its case.
        """
        for token in ("", "s3cre", "s3cret2", "S3CRET", "s3cret s3cret"):
            self.assert_unauthenticated(Authorization=f"Bearer {token}")

    def test_other_scheme(self) -> None:
        """
        The token is no password.
        """
        self.assert_unauthenticated(Authorization=f"Basic {TOKEN}")
        self.assert_unauthenticated(Authorization=f"Digest {TOKEN}")
        self.assert_unauthenticated(Authorization=TOKEN)

    def test_not_shown(self) -> None:
        """
        Neither ours nor theirs.
        """
        incoming = self.send(Authorization="Bearer guess-1")
        self.assertNotIn(TOKEN.encode(), incoming.body)
        self.assertNotIn(b"guess-1", incoming.body)

    def test_healthz_is_open(self) -> None:
        """
        Supervisors have no token.
        """
        self.assert_passes(self.send(path="/healthz"))

    def test_only_healthz_is_open(self) -> None:
        """
        What merely begins like it is not.
        """
        for path in ("/health", "/healthz/", "//healthz", "/metrics"):
            incoming = self.send(path=path)
            self.assert_refused(incoming, 401, "authentication_error")

    def test_host_is_looked_at_first(self) -> None:
        """
        The token does not make up for a foreign name.
        """
        incoming = self.send(Host="evil.example", Authorization=f"Bearer {TOKEN}")
        self.assert_refused(incoming, 403, "permission_error")

    def test_no_token_configured(self) -> None:
        """
        Then none is wanted, and any will do: SDKs always send one.
        """
        self.configure()
        self.assert_passes(self.send())
        self.assert_passes(self.send(Authorization="Bearer anything"))
