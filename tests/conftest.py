"""For every test: what it needs of the machine, and the signals of a program somebody started."""

from __future__ import annotations

import signal

import pytest

from tests import needs


def pytest_configure(config: pytest.Config) -> None:
    del config
    needs.required()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Jobs of the tests die of signals, however the suite was started.

    A shell without job control starts what is in the background with these ignored, for good.
    """
    del session
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            needs.check(name)
