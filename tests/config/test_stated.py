"""What the weights of a model expect of images lies between the defaults and everything that is said."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import timm

from reidctl.config import RunConfig, load_config
from reidctl.config.parts import check_parts
from reidctl.errors import ConfigError, UnknownName
from reidctl.registry import API_VERSION, Entry, Registry, losses, models

CLIP = "vit_base_patch16_clip_224"


def offer(monkeypatch: pytest.MonkeyPatch, registry: Registry, parts: dict[str, Any]) -> None:
    """The family `acme/*` of these parts, while the test runs."""

    class Acme:
        def names(self) -> list[str]:
            return list(parts)

        def __call__(self, member: str) -> Any:
            return parts[member]

    point: Any = SimpleNamespace(load=Acme, group=f"reidctl.{registry.plural}")
    entry = Entry(registry.kind, "acme/*", "acme", "1", "acme:acme", API_VERSION, point)
    monkeypatch.setitem(registry.__dict__, "entries", (*registry.entries, entry))


def net(width: int = 8, *, image_size: tuple[int, int]) -> None: ...


def test_mean_and_deviation_are_those_of_the_weights_with_their_origin() -> None:
    loaded = load_config(sets=[f"model=timm/{CLIP}"])
    stated = timm.get_pretrained_cfg(CLIP)
    assert stated is not None
    image = loaded.config.data.image
    assert (image.mean, image.std) == (stated.mean, stated.std)
    assert (image.mean, image.std) != (RunConfig().data.image.mean, RunConfig().data.image.std)
    origins = {str(loaded.given.origin(("data", "image", key))) for key in ("mean", "std")}
    assert origins == {f"model timm/{CLIP}"}
    assert str(loaded.given.origin(("data", "image", "height"))) == "default"


def test_the_tag_of_the_weights_and_the_name_of_the_package_count() -> None:
    tagged = timm.get_pretrained_cfg("vit_base_patch16_224.augreg_in21k")
    assert tagged is not None
    image = load_config(sets=["model=reidctl:timm/vit_base_patch16_224.augreg_in21k"]).config.data.image
    assert (image.mean, image.std) == (tagged.mean, tagged.std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.mark.parametrize("how", ["file", "environment", "set"])
def test_whatever_is_said_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("data: {image: {mean: [0.1, 0.2, 0.3]}}\n" if how == "file" else "{}\n", encoding="utf-8")
    if how == "environment":
        monkeypatch.setenv("REIDCTL_DATA__IMAGE__MEAN", "[0.1, 0.2, 0.3]")
    sets = ["data.image.mean=[0.1, 0.2, 0.3]"] if how == "set" else []
    image = load_config(files=[file], sets=[f"model=timm/{CLIP}", *sets]).config.data.image
    assert image.mean == (0.1, 0.2, 0.3)
    assert image.std == timm.get_pretrained_cfg(CLIP).std  # type: ignore[union-attr]


def test_a_preset_wins_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reidctl.config import load
    from reidctl.config.reader import Document

    values = {"data": {"image": {"std": [0.1, 0.1, 0.1]}}}
    monkeypatch.setattr(load, "read_preset", lambda name: Document(values, {}))
    image = load_config("retail-0267", sets=[f"model=timm/{CLIP}"]).config.data.image
    assert image.std == (0.1, 0.1, 0.1)
    assert image.mean == timm.get_pretrained_cfg(CLIP).mean  # type: ignore[union-attr]


def test_a_configuration_written_out_reads_back_whatever_the_weights_expect(tmp_path: Path) -> None:
    from reidctl.config.render import render

    config = load_config(sets=[f"model=timm/{CLIP}", "data.image.mean=[0.5, 0.5, 0.5]"]).config
    (tmp_path / "run.yaml").write_text(render(config), encoding="utf-8")
    assert load_config(files=[tmp_path / "run.yaml"]).config == config


def test_a_model_that_states_nothing_leaves_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, models, {"net": net})
    assert load_config(sets=["model=acme/net"]).config.data == RunConfig().data


def test_a_statement_that_no_image_can_have_names_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def bright(*, image_size: tuple[int, int]) -> None: ...

    bright.normalization = ((124.0, 116.0, 104.0), (1.0, 1.0, 1.0))  # type: ignore[attr-defined]
    offer(monkeypatch, models, {"bright": bright})
    with pytest.raises(
        ConfigError, match=r"^model acme/bright: data\.image\.mean\.0: should be less than or equal to 1"
    ):
        load_config(sets=["model=acme/bright"])


def test_an_unknown_member_is_refused_at_its_place(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("model: timm/resnet5O\n", encoding="utf-8")
    with pytest.raises(UnknownName) as error:
        load_config(files=[file])
    assert str(error.value) == f"{file}:1:8: model.name: no model named 'timm/resnet5O'"
    assert error.value.hint == "did you mean 'timm/resnet50'?"


def test_an_unknown_member_of_another_kind_is_refused_where_parts_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, losses, {"ring": net})
    loaded = load_config(sets=["losses=[acme/rign]"])
    with pytest.raises(UnknownName) as error:
        check_parts(loaded)
    assert str(error.value) == "--set losses: losses.0.name: no loss named 'acme/rign'"
    assert error.value.hint == "did you mean 'acme/ring'?"


def test_a_whole_family_is_refused_without_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, losses, {"ring": net})
    with pytest.raises(UnknownName, match=r"'acme/\*' is a family of losses"):
        load_config(sets=["losses=['acme/*']"])


def test_the_parameters_of_a_member_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"model\.poolin: no such key") as error:
        check_parts(load_config(sets=["model={name: timm/resnet50, poolin: avg}"]))
    assert error.value.hint == "did you mean 'pooling'?"
