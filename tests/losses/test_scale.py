import json
from pathlib import Path

import pytest
import torch

from reidctl.errors import ConfigError
from reidctl.losses.scale import ScaleSchedule
from reidctl.registry import losses
from reidctl.types import Spec

VALUES = json.loads((Path(__file__).parents[1] / "parity" / "losses.json").read_text())["results"]


@pytest.mark.parametrize("name", ["scale_schedule", "scale_schedule_noskip"])
def test_the_course_is_that_of_the_original(name: str) -> None:
    table = VALUES[name]
    schedule = ScaleSchedule(end=table["end"], epochs=float(table["duration"]), hold=float(table["skip"] or 0))
    found = {at: schedule.at(float(at), table["start"]) for at in table["values"]}
    assert found == pytest.approx(table["values"], rel=1e-12)


def test_a_schedule_is_a_parameter_and_is_checked() -> None:
    given = {"embedding_dim": 4, "num_classes": 3, "class_counts": torch.tensor([1, 1, 1])}
    loss = losses.build(Spec(name="am_softmax", scale=16.0, scale_schedule={"end": 64.0, "epochs": 10.0}), **given)
    embeddings = torch.eye(4)
    torch.testing.assert_close(loss.logits(embeddings, epoch=20.0), 4 * loss.logits(embeddings))
    with pytest.raises(ConfigError, match="hold 4 leaves none of 4 epochs"):
        losses.build(Spec(name="am_softmax", scale_schedule={"end": 4.0, "epochs": 4.0, "hold": 4.0}), **given)
