"""A package that misbehaves is one line that names it, where it is asked for, and nothing anywhere else."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from reidctl.config import RunConfig, load_config
from reidctl.config.legacy import convert
from reidctl.config.ownership import read_stored
from reidctl.config.parts import check_parts
from reidctl.conformance import Question, examine
from reidctl.errors import PluginError
from reidctl.runtimes import open_embedder
from reidctl.types import Spec
from tests.conftest import Cli, Packages

OTHERS = (
    ("--help",),
    ("plugins", "list"),
    ("plugins", "list", "--all"),
    ("models", "list"),
    ("losses", "list"),
    ("losses", "info", "triplet"),
    ("transforms", "list"),
    ("config", "show", "--preset", "retail-0267"),
)

RING = """
from torch import nn

class Ring(nn.Module):
    def __init__(self, radius: float = 1.0):
        super().__init__()
        self.radius = radius

    def forward(self, embeddings, labels):
        return (embeddings.square().sum(dim=1).clamp(min=1e-12).sqrt() - self.radius).square().mean()
"""

NAMED = "'ring' from acme-ring 1.2 (acme_ring:Ring)"


def others_go_on(cli: Cli) -> None:
    for line in OTHERS:
        result = cli(*line)
        assert (result.code, result.err) == (0, ""), line


def error_line(err: str) -> str:
    """The one line of an error; a hint may follow."""
    first, *rest = err.splitlines()
    assert [line.partition(":")[0] for line in rest] in ([], ["hint"]), err
    return first


def test_one_that_fails_on_import(packages: Packages, cli: Cli) -> None:
    packages.add("acme-ring", {"losses": {"ring": "Ring"}}, "import no_such_library")
    others_go_on(cli)
    asked = cli("losses", "info", "ring")
    assert asked.code == 3
    reason = "ModuleNotFoundError: No module named 'no_such_library'"
    assert error_line(asked.err) == f"error: loss {NAMED} does not import: {reason}"


def test_one_that_ends_the_process_on_import(packages: Packages, cli: Cli) -> None:
    packages.add("acme-ring", {"losses": {"ring": "Ring"}}, "raise SystemExit('bye')")
    asked = cli("losses", "info", "ring")
    assert (asked.code, error_line(asked.err)) == (3, f"error: loss {NAMED} does not import: SystemExit: bye")


def test_one_that_hangs_on_import_is_stopped_by_the_check_and_imported_by_nothing_else(
    packages: Packages, cli: Cli
) -> None:
    parts = {"losses": {"ring": "Ring"}, "commands": {"ring": "ring"}}
    packages.add("acme-ring", parts, "import time; time.sleep(600)")
    packages.add("beta-ring", {"losses": {"beta": "Ring"}}, RING)
    others_go_on(cli)
    checked = cli("plugins", "check", "acme-ring", "--limit", "2", "--json")
    assert checked.code == 1
    line = "loss 'ring' from acme-ring 1.2: import: no answer after 2 s, stopped"
    assert error_line(checked.err) == f"error: 2 of 2 parts do not work, the first: {line}"
    assert [row["status"] for row in json.loads(checked.out)["plugins"]] == ["broken", "broken"]
    assert "acme_ring" not in sys.modules


def test_one_that_prints_on_import_leaves_json_on_stdout(packages: Packages, cli: Cli) -> None:
    packages.add("acme-ring", {"losses": {"ring": "Ring"}}, f"print('welcome to ring')\n{RING}")
    others_go_on(cli)
    asked = cli("losses", "info", "ring", "--json")
    assert json.loads(asked.out)["name"] == "ring"
    assert asked.err == f"warning: loss {NAMED} prints on import: welcome to ring\n"


def test_a_warning_is_an_error_where_that_is_asked_for(
    packages: Packages, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages.add("acme-ring", {"losses": {"ring": "Ring"}}, f"print('welcome to ring')\n{RING}")
    monkeypatch.setenv("REIDCTL_PLUGINS_STRICT", "1")
    others_go_on(cli)
    asked = cli("losses", "info", "ring", "--json")
    assert (asked.code, asked.out) == (3, "")
    assert error_line(asked.err) == f"error: loss {NAMED} prints on import: welcome to ring"


@pytest.mark.parametrize(
    ("api", "status", "words"),
    [("v2", "API 2", "was written for plugin API 2"), (None, "no API version", "states no plugin API version")],
)
def test_one_for_another_api_is_never_imported(
    packages: Packages, cli: Cli, api: str | None, status: str, words: str
) -> None:
    packages.add("acme-ring", {"losses": {"ring": "Ring"}}, "raise SystemExit('imported')", api=api)
    others_go_on(cli)
    assert [row["status"] for row in json.loads(cli("plugins", "list", "--json").out)["plugins"]] == [status]
    asked = cli("losses", "info", "ring")
    assert asked.code == 3
    assert error_line(asked.err) == f"error: loss {NAMED}: the package {words}, this is API 1"


def test_one_that_takes_a_name_of_ours_is_refused_with_both_names_and_presets_keep_ours(
    packages: Packages, cli: Cli
) -> None:
    packages.add("acme-ring", {"losses": {"am_softmax": "Ring"}, "commands": {"verify": "Ring"}}, RING)
    others_go_on(cli)
    asked = cli("losses", "info", "am_softmax")
    assert asked.code == 3
    assert error_line(asked.err).startswith("error: loss 'am_softmax' is offered by acme-ring 1.2 and reidctl ")
    assert "hint:  write acme-ring:am_softmax or reidctl:am_softmax" in asked.err
    assert "from acme-ring 1.2 (acme_ring:Ring)" not in cli("losses", "info", "reidctl:am_softmax").out
    assert "acme-ring 1.2 (acme_ring:Ring)" in cli("losses", "info", "acme-ring:am_softmax").out
    for preset in (None, "retail-0267"):
        loaded = load_config(preset=preset)
        check_parts(loaded)
        assert loaded.config.losses[0].name == "reidctl:am_softmax"
    stored = RunConfig.model_validate({"losses": [{"name": "am_softmax"}, {"name": "triplet"}]}, strict=False)
    assert [spec.name for spec in read_stored(stored.model_dump_json()).losses] == ["reidctl:am_softmax", "triplet"]
    assert convert("loss: {name: am_softmax}").values["losses"][0]["name"] == "reidctl:am_softmax"
    written = cli("config", "show", "--preset", "retail-0267", "--set", "losses=[am_softmax]")
    assert "is offered by acme-ring 1.2 and reidctl " in error_line(written.err)


FAULTY = '''
"""Parts that break their contracts on demand."""
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from reidctl.types import ArtefactInfo, ImageSpec, ReidData, Sample
from torch import nn

Fault = Literal["none", "constructor", "shape", "error"]


class Net(nn.Module):
    def __init__(self, fault: Fault = "none", *, image_size: tuple[int, int]) -> None:
        super().__init__()
        if fault == "constructor":
            raise RuntimeError("out of wool")
        self.fault, self.embedding_dim = fault, 4
        self.mix = nn.Conv2d(3, 4, 1)

    def feature_maps(self, images):
        return self.mix(images)

    def forward(self, images):
        if self.fault == "error":
            raise ValueError("no wool left")
        maps = self.feature_maps(images)
        return maps if self.fault == "shape" else maps.mean(dim=(2, 3))


class Spread(nn.Module):
    def __init__(self, fault: Fault = "none") -> None:
        super().__init__()
        self.fault = fault

    def forward(self, embeddings, labels):
        if self.fault == "error":
            raise ValueError("no thread left")
        values = embeddings.square().sum(dim=1)
        return values if self.fault == "shape" else values.mean()


class Gray:
    def __init__(self, fault: Fault = "none") -> None:
        self.fault = fault

    def __call__(self, image):
        return image.convert("L") if self.fault == "shape" else image


class Plain:
    def __init__(self, person: int, camera: int) -> None:
        self.color = (30 * person, 40 * camera, 90)

    def __call__(self):
        return Image.new("RGB", (16, 32), self.color)


def people(fault: Fault = "none", *, root: Path):
    shots = [Sample(Plain(p, c), f"{p}_{c}_{n}", p, c) for p in range(4) for c in range(2) for n in range(2)]
    return shots if fault == "shape" else ReidData("people", tuple(shots), tuple(shots[:4]), tuple(shots[2:6]))


class Opener:
    suffixes = (".faulty",)

    def __init__(self, fault: Fault = "none", *, path: Path, device: str, precision: str | None) -> None:
        self.fault = fault
        self.info = ArtefactInfo(model="faulty", image=ImageSpec(height=32, width=16), embedding_dim=3)

    def embed_batch(self, images):
        vectors = images.mean(axis=(1, 2), dtype=np.float32)
        return vectors[:, :2] if self.fault == "shape" else vectors
'''

PARTS = {
    "models": {"faulty_net": "Net"},
    "losses": {"faulty_loss": "Spread"},
    "transforms": {"faulty_gray": "Gray"},
    "datasets": {"faulty_people": "people"},
    "runtimes": {"faulty_opener": "Opener"},
}

RUN = """
model: {name: faulty_net}
losses: [{name: faulty_loss}]
data:
  sources: [{name: faulty_people}]
  targets: [{name: faulty_people}]
  allow_leakage: true
  transforms: [{name: resize}, {name: faulty_gray}]
  image: {height: 32, width: 16}
  workers: 0
train: {epochs: 1, batch_size: 4, compile: false}
"""


@pytest.fixture
def faulty(packages: Packages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a run of the faulty parts, none of whose faults is asked for."""
    packages.add("acme-faulty", PARTS, FAULTY)
    (tmp_path / "run.yaml").write_text(RUN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


TRAINED = [
    (
        "model.fault=constructor",
        "model 'faulty_net' from acme-faulty 1.2 (acme_faulty:Net) cannot be built: RuntimeError: out of wool",
    ),
    (
        "model.fault=shape",
        "model 'faulty_net' from acme-faulty 1.2 (acme_faulty:Net) gives embeddings of shape (4, 4, 32, 16) for "
        "4 images, not (4, 4)",
    ),
    (
        "losses.0.fault=shape",
        "loss 'faulty_loss' from acme-faulty 1.2 (acme_faulty:Spread) gives values of shape (4,), not a scalar",
    ),
    (
        "model.fault=error",
        "model 'faulty_net' from acme-faulty 1.2 (acme_faulty:Net) failed: ValueError: no wool left",
    ),
    (
        "losses.0.fault=error",
        "loss 'faulty_loss' from acme-faulty 1.2 (acme_faulty:Spread) failed: ValueError: no thread left",
    ),
    ("data.transforms.1.fault=shape", "transform Gray from acme-faulty 1.2 (acme_faulty) makes no RGB picture of "),
    (
        "data.sources.0.fault=shape",
        "data set 'faulty_people' from acme-faulty 1.2 (acme_faulty:people) returned a list, not a ReidData",
    ),
]


@pytest.mark.parametrize(("fault", "line"), TRAINED)
def test_training_names_the_package_of_a_part_that_breaks_its_contract(
    faulty: Path, cli: Cli, fault: str, line: str
) -> None:
    trained = cli("train", "-c", "run.yaml", "--run", "faulty", "--set", fault, "--quiet")
    assert trained.code == 3
    assert error_line(trained.err).startswith(f"error: {line}")


def test_the_parts_train_where_no_fault_is_asked_for(faulty: Path, cli: Cli) -> None:
    trained = cli("train", "-c", "run.yaml", "--run", "fine", "--quiet")
    assert (trained.code, trained.err) == (0, "")


def test_a_runtime_whose_embeddings_have_another_shape_is_named(faulty: Path) -> None:
    (faulty / "net.faulty").touch()
    images = np.zeros((5, 32, 16, 3), dtype=np.uint8)
    assert open_embedder(faulty / "net.faulty").embed_batch(images).shape == (5, 3)
    opened = open_embedder(faulty / "net.faulty", runtime=Spec(name="faulty_opener", fault="shape"))
    wanted = r"runtime 'faulty_opener' from acme-faulty 1\.2 .* gives shape \(5, 2\) for 5 images of .*, not \(5, 3\)"
    with pytest.raises(PluginError, match=wanted):
        opened.embed_batch(images)


def test_the_check_finds_every_fault_and_names_it(faulty: Path) -> None:
    (faulty / "net.faulty").touch()
    kinds = {"model": "net", "loss": "loss", "transform": "gray", "dataset": "people", "runtime": "opener"}
    asked = [(kind, f"faulty_{name}", "shape") for kind, name in kinds.items()]
    asked.append(("model", "faulty_net", "constructor"))
    file = faulty / "net.faulty"
    reports = examine([Question(kind, Spec(name=name, fault=fault), faulty, file) for kind, name, fault in asked], 300)
    assert [report.problem for report in reports] == [
        "contract: embeddings have shape (4, 4, 256, 128), not (4, 4)",
        "contract: the loss is no scalar but has shape (16,)",
        "contract: the transform gives mode L, not RGB",
        "contract: the data set is a list, not a ReidData",
        "contract: embeddings have shape (3, 2), not (3, 3)",
        "build: model 'faulty_net' from acme-faulty 1.2 (acme_faulty:Net) cannot be built: RuntimeError: out of wool",
    ]
    assert {report.status for report in reports} == {"broken"}


def test_uninstalling_removes_every_trace(packages: Packages, cli: Cli, tmp_path: Path) -> None:
    packages.add("acme-ring", {"losses": {"ring": "Ring"}, "commands": {"ring": "greet"}}, f"{RING}\ndef greet(): ...")
    before = cli("plugins", "list", "--all", "--json").out
    assert cli("ring").code == 0
    assert cli("losses", "info", "ring").code == 0
    packages.remove("acme-ring")
    after = json.loads(cli("plugins", "list", "--all", "--json").out)["plugins"]
    assert [row for row in json.loads(before)["plugins"] if row["package"] != "acme-ring"] == after
    assert json.loads(cli("plugins", "list", "--json").out)["plugins"] == []
    assert "No such command 'ring'" in cli("ring").err
    assert cli("losses", "info", "ring").code == 2
    assert "acme" not in cli("--help").out
    left = {path.name for path in tmp_path.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert left == set()
