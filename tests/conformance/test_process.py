import os
import tempfile
from pathlib import Path

import pytest

from reidctl.conformance import Question, examine
from reidctl.types import Spec
from tests.conftest import Packages
from tests.runtimes.orphans import survives_its_parent

HANGING = """
import os, sys, tempfile, time
from pathlib import Path
Path({told!r}, "folder").write_text(tempfile.mkdtemp())
Path({told!r}, "number").write_text(f"{{os.getpid()}}\\n")
time.sleep(600)
"""
CHECK = (
    "from reidctl.conformance import Question, examine\nfrom reidctl.types import Spec\n"
    "examine([Question('loss', Spec(name='ring'))], 60)\n"
)


@pytest.fixture
def hanging(packages: Packages, tmp_path: Path) -> Path:
    """A package whose loss hangs on import, and the folder where it writes its temporary folder and its process."""
    packages.add("acme-ring", {"losses": {"ring": "Ring"}}, HANGING.format(told=str(tmp_path)))
    return tmp_path


def test_a_check_that_is_stopped_leaves_no_temporary_files(hanging: Path) -> None:
    [report] = examine([Question("loss", Spec(name="ring"))], 1)
    assert report.problem == "import: no answer after 1 s, stopped"
    left = Path((hanging / "folder").read_text())
    assert left.is_relative_to(tempfile.gettempdir())
    assert not left.exists()
    assert not left.parent.exists()


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is a signal of POSIX")
def test_a_check_ends_with_a_parent_that_is_killed(hanging: Path) -> None:
    assert not survives_its_parent(CHECK, hanging / "number", TMPDIR=str(hanging))
