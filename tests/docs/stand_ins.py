"""Small stand-ins for the files that a page takes for granted: data sets, published networks, images of one's own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from reidctl import export_ir, export_onnx
from reidctl.api import create_model
from reidctl.data.sources import open_dataset
from reidctl.data.write import export_layout
from reidctl.types import Spec
from tests.weights.files import initialisers, original, save, save_onnx, torchreid

# min_images_per_identity of the retail presets is 8.
PEOPLE = Spec(name="synthetic", train_identities=8, test_identities=6, cameras=3, images_per_camera=3)

SHORT = {
    "REIDCTL_TRAIN__EPOCHS": "2",
    # Four people with four images each: the stand-ins have few.
    "REIDCTL_TRAIN__BATCH_SIZE": "16",
    "REIDCTL_TRAIN__COMPILE": "false",
    "REIDCTL_DATA__WORKERS": "0",
    "OMP_NUM_THREADS": "1",
}
DRAWN = "[{name: synthetic, train_identities: 8, test_identities: 6, cameras: 3, images_per_camera: 3}]"
VARIABLES: dict[str, Mapping[str, str]] = {
    # The demo draws its own people.
    "getting-started.md": {**SHORT, "REIDCTL_DATA__SOURCES": DRAWN, "REIDCTL_DATA__TARGETS": DRAWN},
}


def data_sets(folder: Path) -> None:
    """Drawn pedestrians in place of Market-1501 and MSMT17, below data/."""
    people = open_dataset(PEOPLE, folder)
    for layout in ("market1501", "msmt17"):
        export_layout(people, folder / "data", layout)


def published_onnx(folder: Path) -> None:
    """A file of random weights that, as the published one does, keeps the names of its tensors."""
    network = create_model("fpn_osnet_x0_5", lct_gate=True)
    classes = {"classifier.weight": torch.randn(256, 4)}
    tensors = initialisers({**network.state_dict(), **classes})
    downloaded = folder / "zoo" / "person-reidentification-retail-0287"
    downloaded.mkdir(parents=True)
    for path in (folder / "retail-0267.onnx", downloaded / "person-reidentification-retail-0267.onnx"):
        save_onnx(path, *tensors)


def own_images(folder: Path) -> None:
    """One folder a person in shop/, files named after the camera; crops/ with a table, and images of nobody."""
    people = open_dataset(PEOPLE, folder)
    for sample in (*people.train, *people.query, *people.gallery):
        person, _, index = sample.name.split("_")
        path = folder / "shop" / f"person-{person}" / f"cam{sample.camera + 1}_{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        sample.image().save(path)


def table(folder: Path) -> None:
    """The images of shop/ once more, flat, with a table of columns of other names."""
    lines = ["file;who;device"]
    crops = folder / "crops"
    crops.mkdir()
    for path in sorted((folder / "shop").glob("*/*.jpg")):
        name = f"{path.parent.name}-{path.name}"
        shutil.copy(path, crops / name)
        lines.append(f"{name};{path.parent.name};{path.name.partition('_')[0]}")
    (crops / "list.csv").write_text("\n".join(lines) + "\n")


def teacher(folder: Path) -> None:
    """An IR of a larger network with random weights."""
    made = export_ir(export_onnx("retail-0270", folder / "teacher.onnx"), folder / "teacher")
    os.replace(made, made.with_name("teacher.xml"))


def old_files(folder: Path) -> None:
    """A configuration and checkpoints of the original toolkit and of torchreid."""
    (folder / "old.yaml").write_text(OLD)
    torch.manual_seed(0)
    original_net = create_model("fpn_osnet_x0_25").state_dict()
    save(folder / "model.pth.tar-65", original(original_net))
    save(folder / "osnet_x1_0.pth.tar", torchreid(create_model("osnet_x1_0").state_dict()))


OLD = """
model: {name: fpn_osnet_x0_25, feature_dim: 256, IN_first: True, pooling_type: conv, fpn: {enable: False}}
data: {root: data, sources: [market1501], targets: [market1501], save_dir: outputs/old}
loss: {name: am_softmax, softmax: {m: 0.35, s: 30.0}}
train: {optim: amsgrad, lr: 0.0015, max_epoch: 65, batch_size: 64}
test: {batch_size: 300, dist_metric: cosine, normalize_feature: True, visrank: True}
"""

STAND_INS: dict[str, list[Callable[[Path], None]]] = {
    "README.md": [data_sets],
    "training.md": [data_sets, published_onnx, teacher],
    "own-cameras.md": [own_images, table, published_onnx],
    "deploy.md": [data_sets],
    "scale-out.md": [data_sets],
    "migrating.md": [data_sets, old_files],
    "models.md": [published_onnx],
    "faq.md": [data_sets, own_images, old_files],
    "parity.md": [published_onnx],
}
"""What lies in a page's folder before its first command."""
