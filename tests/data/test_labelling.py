from pathlib import Path

from reidctl.data.labelling import labelled
from reidctl.types import ReidData, Sample


def test_files_that_a_data_set_knows_get_its_labels(tmp_path: Path) -> None:
    data = ReidData(
        "some",
        train=(Sample(tmp_path / "t.jpg", "t", 0, 3),),
        query=(Sample(tmp_path / "q.jpg", "q", 7, 1),),
        gallery=(Sample(tmp_path / "g.jpg", "g", 7, 2), Sample(lambda: None, "drawn", 8, 0)),
        train_identities=(41,),
    )
    (tmp_path / "link.jpg").symlink_to(tmp_path / "g.jpg")
    names = ["q", "link", "t", "other"]
    drawn = Sample(lambda: None, "drawn", -1, 0)
    found = labelled([*(Sample(tmp_path / f"{name}.jpg", name, -1, 0) for name in names), drawn], data)
    assert [(each.name, each.identity, each.camera) for each in found] == [
        ("q", 7, 1),
        ("link", 7, 2),
        ("t", 41, 3),
        ("other", -1, 0),
        ("drawn", -1, 0),
    ]


def test_labels_of_training_that_name_nobody_are_not_taken(tmp_path: Path) -> None:
    data = ReidData("some", train=(Sample(tmp_path / "t.jpg", "t", 0, 3),))
    [found] = labelled([Sample(tmp_path / "t.jpg", "t", -1, 0)], data)
    assert found.identity == -1
