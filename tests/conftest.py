"""What every test gets: the Hypothesis profile, the shared fixtures, and a watch for secrets."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from support.dkim_verifiers import dkim_verifier, mail_dkim
from support.leaks import Plugin, Watch
from support.reader import perl_reader, readers
from support.seals import gpg, smime
from support.servers import servers

__all__ = ["dkim_verifier", "gpg", "mail_dkim", "perl_reader", "readers", "servers", "smime"]

settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=500, derandomize=True, deadline=None)
# Laws are laws on every Python: one version tries them at length, the others see that they hold.
settings.register_profile("ci-again", max_examples=100, derandomize=True, deadline=None)
CI_PROFILE = os.environ.get("EHLO_TEST_LAWS", "ci")
settings.load_profile(CI_PROFILE if os.environ.get("CI") == "true" else "dev")


def pytest_configure(config: pytest.Config) -> None:
    """Look through all that is written or raised for the secrets of the tests."""
    config.pluginmanager.register(Plugin(Watch()), "leaks")
