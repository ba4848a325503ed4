"""`reidctl plugins check` over all that is installed here: our parts, and with `make test-all` those of plugins/."""

import json

import pytest

from reidctl.registry import REGISTRIES
from tests.conftest import Cli


@pytest.mark.slow
def test_nothing_that_is_installed_is_broken(cli: Cli) -> None:
    result = cli("plugins", "check", "--limit", "300", "--json")
    rows = json.loads(result.out)["plugins"]
    assert [(row["kind"], row["name"], row["problem"]) for row in rows if row["status"] == "broken"] == []
    assert result.code == 0, result.err
    assert len(rows) == sum(len(registry.entries) for registry in REGISTRIES)
    # What only a user can give: the files of data sets, and those of other engines.
    assert {row["kind"] for row in rows if row["status"] == "incomplete"} <= {"dataset", "runtime", "logger"}
