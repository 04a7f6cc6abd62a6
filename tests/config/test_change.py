"""
Tests for L{arbstr.config.change}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.change import LIVE, change
from arbstr.config.load import ConfigError
from arbstr.config.model import Config

EVERYWHERE = "tcp:8080:interface=0.0.0.0"
PROVIDER = {"name": "a", "kind": "mock", "input_rate": 1, "output_rate": 1}


def config(**sections: Any) -> Config:
    """
    A configuration of one provider.
    """
    return Config.model_validate({"providers": [PROVIDER], **sections})


class ChangeTests(SynchronousTestCase):
    """
    What can change, and what cannot.
    """

    def test_nothing(self) -> None:
        self.assertEqual(change(config(), config()), (config(), []))

    def test_every_live_setting(self) -> None:
        """
        Taken as it is wanted, without a word.
        """
        wanted = config(
            server={
                "auth_token": "new",
                "allowed_hosts": ["box.example"],
                "rate_limit_rps": 7,
                "max_in_flight": 7,
                "shutdown_grace_seconds": 7,
            },
            providers=[{**PROVIDER, "name": "b"}],
            policies={"default_strategy": "balanced"},
            routing={"tiers": "on"},
            circuit={"open_seconds": 7},
            retry={"max_attempts": 7},
            streaming={"failover": True},
            btc_usd=7,
            logging={"format": "json"},
        )
        self.assertEqual(change(config(), wanted), (wanted, []))

    def test_live_settings_exist(self) -> None:
        """
        None is misspelt.
        """
        for path in LIVE:
            settings: Any = config()
            for name in path.split("."):
                self.assertIn(name, type(settings).model_fields, path)
                settings = getattr(settings, name)

    def test_kept(self) -> None:
        """
        What cannot change stays as it is, and is named.
        """
        running = config()
        wanted = config(
            server={"listen": "127.0.0.1:9000", "max_body_bytes": 7},
            database={"url": "sqlite:///new.db", "keep_days": 7},
        )
        changed, kept = change(running, wanted)
        self.assertEqual(changed, running)
        self.assertEqual(
            kept,
            [
                "server.listen",
                "server.max_body_bytes",
                "database.url",
                "database.keep_days",
            ],
        )

    def test_both(self) -> None:
        """
        What can change beside it does.
        """
        wanted = config(server={"max_in_flight": 7, "max_body_bytes": 7})
        changed, kept = change(config(), wanted)
        self.assertEqual(changed, config(server={"max_in_flight": 7}))
        self.assertEqual(kept, ["server.max_body_bytes"])

    def test_token_that_is_still_needed(self) -> None:
        """
        Without it, others could use the address that is listened on until the
        next start.
        """
        running = config(server={"listen": EVERYWHERE, "auth_token": "secret"})
        with self.assertRaises(ConfigError) as raised:
            change(running, config())
        (problem,) = raised.exception.problems
        self.assertEqual(
            problem,
            "server.auth_token: expected a token or a loopback interface, since "
            f"'{EVERYWHERE}' is reachable from other machines, and goes on being so "
            "until arbstr is started again",
        )

    def test_token_that_is_another(self) -> None:
        running = config(server={"listen": EVERYWHERE, "auth_token": "secret"})
        wanted = config(server={"listen": EVERYWHERE, "auth_token": "new"})
        self.assertEqual(change(running, wanted), (wanted, []))
