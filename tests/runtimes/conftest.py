"""What the tests of runtimes share."""

import pytest

from tests.runtimes.artefacts import Real, make_real


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Real:
    return make_real(tmp_path_factory)
