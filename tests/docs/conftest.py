"""What `make test-docs` says at its end."""

import pytest

from tests.docs.pages import pages
from tests.docs.running import not_run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name what the documentation shows and no test can run here."""
    if config.getoption("markexpr") != "docs":
        return
    terminalreporter.section("shown, but not run")
    for page in pages():
        for line in not_run(page):
            terminalreporter.line(line)
