from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from reidctl.config import RunConfig
from reidctl.errors import MissingExtra, UnknownName
from reidctl.registry import loggers
from reidctl.training.trainer import train
from reidctl.types import Spec
from tests.training.stand_ins import register, tiny_config
from tests.training.test_trainer import Watcher


class Diary:
    """Writes down what it is told; fails at the word that it is given."""

    books: list[Diary]

    def __init__(self, fails: str = "", *, folder: Path, config: RunConfig) -> None:
        self.fails, self.folder, self.name, self.words = fails, folder, config.run_name, list[str]()
        self.found = list(folder.glob("*"))
        self.books.append(self)

    def _note(self, word: str) -> None:
        self.words.append(word)
        if word == self.fails:
            raise RuntimeError(f"no more {word}")

    def on_start(self, plan: Any) -> None:
        self._note("start")

    def on_step(self, step: Any) -> None:
        self._note("step")

    def on_epoch(self, epoch: Any) -> None:
        self._note("epoch")

    def close(self) -> None:
        self._note("close")


@pytest.fixture
def diaries(monkeypatch: pytest.MonkeyPatch) -> list[Diary]:
    Diary.books = []
    register(monkeypatch, loggers, "diary", Diary)
    return Diary.books


def test_a_logger_is_told_what_the_observer_is(runs: Path, diaries: list[Diary]) -> None:
    watcher = Watcher()
    train(tiny_config(runs, train_epochs=2, loggers=(Spec(name="diary"),)), observer=watcher)
    steps = ["step"] * watcher.plans[0].steps
    assert diaries[0].words == ["start", *steps, "epoch", *steps, "epoch", "close"]
    assert (diaries[0].folder, diaries[0].name, diaries[0].found) == (runs / "tiny", "tiny", [])


def test_a_logger_that_fails_is_left_out_and_the_run_goes_on(
    runs: Path, diaries: list[Diary], caplog: pytest.LogCaptureFixture
) -> None:
    named = (Spec(name="diary", fails="step"), Spec(name="diary"))
    train(tiny_config(runs, train_epochs=1, loggers=named))
    assert diaries[0].words == ["start", "step"]
    assert diaries[1].words[-2:] == ["epoch", "close"]
    assert re.search(
        r"logger 'diary' from \S+ \S+ \(\S+\) failed and is left out: RuntimeError: no more step", caplog.text
    )


def test_a_logger_is_closed_when_the_run_fails(runs: Path, diaries: list[Diary]) -> None:
    with pytest.raises(MemoryError):
        train(tiny_config(runs, loggers=(Spec(name="diary"),)), observer=Watcher((1, 1), MemoryError()))
    assert diaries[0].words[-1] == "close"


def test_a_logger_that_cannot_be_built_stops_the_run_before_anything_is_written(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def needy(*, folder: Path) -> Any:
        raise MissingExtra("logger 'needy' needs a package")

    register(monkeypatch, loggers, "needy", needy)
    for name, error in (("needy", MissingExtra), ("neeedy", UnknownName)):
        with pytest.raises(error):
            train(tiny_config(runs, loggers=(Spec(name=name),)))
    assert not runs.exists()
