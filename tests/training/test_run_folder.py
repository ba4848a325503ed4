import csv
import json
import logging
from pathlib import Path

import pytest
import torch

from reidctl.config import load_config
from reidctl.errors import ExistsError, InputError
from reidctl.training.run_folder import RunFolder, beside_peer
from tests.training.stand_ins import tiny_config

CPU = torch.device("cpu")


def _opened(path: Path) -> RunFolder:
    folder = RunFolder(path)
    with folder.opened(tiny_config(path.parent), CPU):
        pass
    return folder


def test_the_written_configuration_is_the_run_again(runs: Path) -> None:
    folder = _opened(runs / "one")
    assert load_config(files=[folder.config]).config == tiny_config(runs)


def test_the_environment_names_versions_and_hardware(runs: Path) -> None:
    found = json.loads(_opened(runs / "one").environment.read_text())
    assert found["packages"]["torch"] == torch.__version__.partition("+")[0] or torch.__version__
    assert (found["device"], found["threads"]) == ("cpu", torch.get_num_threads())


def test_latest_is_the_last_run_that_was_opened(runs: Path) -> None:
    for name in ("one", "two", "one"):
        _opened(runs / name)
        assert (runs / "latest").is_symlink()
        assert (runs / "latest").resolve() == (runs / name).resolve()


def test_a_run_of_the_name_latest_is_left_alone(runs: Path) -> None:
    folder = _opened(runs / "latest")
    folder.append({"epoch": 1})
    _opened(runs / "one")
    assert folder.rows() == [{"epoch": 1}]


def test_the_log_of_the_library_is_kept_while_the_folder_is_open(runs: Path) -> None:
    logger = logging.getLogger("reidctl.anything")
    before = logging.getLogger("reidctl").level, list(logging.getLogger("reidctl").handlers)
    folder = RunFolder(runs / "one")
    with folder.opened(tiny_config(runs), CPU):
        logger.info("inside")
        logger.debug("too much")
    logger.warning("afterwards")
    assert [line.split(": ")[-1] for line in folder.log.read_text().splitlines()] == ["inside"]
    assert (logging.getLogger("reidctl").level, logging.getLogger("reidctl").handlers) == before


def test_rows_are_kept_as_lines_and_as_a_table_of_all_their_columns(runs: Path) -> None:
    folder = RunFolder(runs / "one")
    folder.append({"epoch": 1, "loss": 0.5})
    folder.append({"epoch": 2, "loss": 0.25, "market1501.mAP": 0.75})
    assert [json.loads(line) for line in folder.metrics.read_text().splitlines()] == folder.rows()
    with folder.table.open() as file:
        assert list(csv.DictReader(file)) == [
            {"epoch": "1", "loss": "0.5", "market1501.mAP": ""},
            {"epoch": "2", "loss": "0.25", "market1501.mAP": "0.75"},
        ]


def test_rows_beyond_an_epoch_are_forgotten(runs: Path) -> None:
    folder = RunFolder(runs / "one")
    for epoch in (1, 2, 3):
        folder.append({"epoch": epoch})
    folder.forget_after(1)
    assert folder.rows() == [{"epoch": 1}]
    assert folder.table.read_text() == "epoch\n1\n"


@pytest.mark.parametrize("name", ["best", "last", "state"])
def test_a_folder_with_weights_is_not_free(runs: Path, name: str) -> None:
    folder = _opened(runs / "one")
    folder.require_free()
    weights: Path = getattr(folder, name)
    weights.parent.mkdir()
    weights.touch()
    with pytest.raises(ExistsError, match="holds the weights of an earlier run") as caught:
        folder.require_free()
    assert all(option in str(caught.value.hint) for option in ("--run NAME", "--resume", "--exist-ok"))


def test_clearing_takes_results_and_leaves_what_is_not_ours(runs: Path) -> None:
    folder = _opened(runs / "one")
    folder.append({"epoch": 1})
    (folder.path / "notes.txt").touch()
    for weights in (folder.best, folder.last, *(beside_peer(kind, 2) for kind in (folder.best, folder.last))):
        weights.parent.mkdir(exist_ok=True)
        weights.touch()
    folder.clear()
    folder.require_free()
    assert folder.rows() == []
    assert list(folder.best.parent.iterdir()) == []
    folder.best.parent.rmdir()
    assert {file.name for file in folder.path.iterdir()} == {"config.yaml", "env.json", "notes.txt"}


def test_a_run_with_a_state_goes_on_and_one_that_saved_nothing_begins_anew(runs: Path) -> None:
    with pytest.raises(InputError, match="no such run"):
        RunFolder(runs / "none").has_state()
    folder = _opened(runs / "one")
    assert not folder.has_state()
    folder.state.parent.mkdir()
    folder.state.touch()
    assert folder.has_state()


def test_weights_without_a_state_are_not_trained_over(runs: Path) -> None:
    folder = _opened(runs / "one")
    folder.best.parent.mkdir()
    folder.best.touch()
    with pytest.raises(InputError, match=r"has no weights/last.pt"):
        folder.has_state()
    (runs / "empty").mkdir()
    with pytest.raises(InputError, match="empty: no such run"):
        RunFolder(runs / "empty").has_state()


def test_what_a_killed_process_left_half_written_is_removed(runs: Path) -> None:
    left = runs / "one" / "weights" / ".last.pt.x1y2z3"
    left.mkdir(parents=True)
    (left / "last.pt").touch()
    assert [file.name for file in _opened(runs / "one").state.parent.iterdir()] == []
