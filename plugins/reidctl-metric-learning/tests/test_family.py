"""Names, parameters and what is refused, through the door that a configuration takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pytorch_metric_learning import losses, miners

from reidctl.errors import ConfigError, PluginError, UnknownName
from reidctl_metric_learning.family import pml_losses
from reidctl_metric_learning.signatures import library_parameters, typed
from reidctl_metric_learning.suited import BASES, UNSUITED, offered


def _reidctl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "reidctl", *arguments], capture_output=True, text=True, check=False)


def _refused(tmp_path: Path, losses_yaml: str) -> str:
    """What `config validate` says of a configuration with these losses, after the place."""
    (tmp_path / "run.yaml").write_text(f"losses:\n  - {losses_yaml}\n")
    ended = _reidctl("config", "validate", tmp_path / "run.yaml")
    assert ended.returncode == 2, ended.stdout
    return ended.stderr


def test_every_loss_and_miner_of_the_library_is_offered_or_has_a_reason() -> None:
    theirs = {
        name
        for module in (losses, miners)
        for name in dir(module)
        if isinstance(getattr(module, name), type) and not name.endswith("Mixin")
    }
    assert theirs == set(offered(losses)) | set(offered(miners)) | set(UNSUITED) | (BASES & theirs)
    assert len(pml_losses.names()) > 20


def test_listing_names_the_family_and_its_members() -> None:
    listed = json.loads(_reidctl("losses", "list", "--json").stdout)["losses"]
    assert [row["name"] for row in listed if row["package"] == "reidctl-metric-learning"] == ["pml/*"]
    members = json.loads(_reidctl("losses", "list", "--family", "pml", "--json").stdout)["losses"]
    assert [row["name"] for row in members] == [f"pml/{name}" for name in pml_losses.names()]


@pytest.mark.parametrize("name", [name for name in UNSUITED if hasattr(losses, name)])
def test_a_class_that_does_not_suit_says_why(name: str) -> None:
    with pytest.raises(UnknownName) as caught:
        pml_losses(name)
    assert str(caught.value) == f"pytorch-metric-learning's {name} is not offered: {UNSUITED[name]}"


@pytest.mark.parametrize("name", [*offered(losses), *offered(miners)])
def test_every_parameter_of_every_class_has_a_type(name: str) -> None:
    target = {**offered(losses), **offered(miners)}[name]
    assert set(typed(target)) | {"embedding_size", "num_classes"} >= set(library_parameters(target))


def test_a_parameter_that_nothing_tells_the_type_of_is_an_error() -> None:
    class Newer:
        __module__ = "pytorch_metric_learning.losses.newer"

        def __init__(self, shape: object = None) -> None: ...

    with pytest.raises(PluginError, match="Newer has a parameter 'shape' of a type that is not known"):
        typed(Newer)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ("pml/TripletMarginLos", "no loss named 'pml/TripletMarginLos'\nhint:  did you mean 'pml/TripletMarginLoss'?"),
        ("pml/VICRegLoss", "run.yaml:2:5: losses.0.name: pytorch-metric-learning's VICRegLoss is not offered: it comp"),
        ("{name: pml/TripletMarginLoss, margn: 1}", "losses.0.margn: no such key\nhint:  did you mean 'margin'?"),
        ("{name: pml/TripletMarginLoss, margin: wide}", "losses.0.margin: should be a number"),
        ("{name: pml/TripletMarginLoss, swap: 1}", "losses.0.swap: should be a boolean"),
        ("{name: pml/TripletMarginLoss, triplets_per_anchor: 0}", "losses.0.triplets_per_anchor: should be greater"),
        ("{name: pml/SphereFaceLoss, margin: 1.5}", "losses.0.margin: should be an integer"),
        ("{name: pml/RankedListLoss, margin: 0.4}", "losses.0.Tn: missing, and it has no default"),
        ("{name: pml/ArcFaceLoss, num_classes: 3}", "losses.0.num_classes: no such key"),
        ("{name: pml/RankedListLoss, margin: 1, Tn: 1, miner: HDCMiner}", "losses.0.miner: no such key"),
        (
            "{name: pml/TripletMarginLoss, miner: TripletMarginMinr}",
            "losses.0.miner: no miner named 'TripletMarginMinr'; did you mean 'TripletMarginMiner'?",
        ),
        (
            "{name: pml/TripletMarginLoss, miner: {name: BatchHardMiner, epsilon: 1}}",
            "losses.0.miner: miner BatchHardMiner.epsilon: no such parameter",
        ),
        (
            "{name: pml/TripletMarginLoss, miner: {name: MultiSimilarityMiner, epsilon: far}}",
            "losses.0.miner: miner MultiSimilarityMiner.epsilon: should be a number; it takes epsilon",
        ),
        (
            "{name: pml/TripletMarginLoss, distance: {name: LpDistance, power: two}}",
            "losses.0.distance: distance LpDistance.power: should be a number",
        ),
    ],
)
def test_mistakes_are_found_before_a_run(loss: str, words: str, tmp_path: Path) -> None:
    assert words in _refused(tmp_path, loss)


def test_what_the_library_refuses_is_one_error() -> None:
    part = pml_losses("ArcFaceLoss")
    with pytest.raises(ConfigError, match=r"pml/ArcFaceLoss: ArcFaceLoss refuses its parameters: .*CosineSimilarity"):
        part(margin=1.0, scale=1.0, miner=None, distance=_spec("LpDistance"), embedding_dim=4, num_classes=3)


def _spec(name: str) -> object:
    from reidctl.types import Spec

    return Spec(name=name, normalize_embeddings=True, p=2.0, power=1.0)
