"""Every format as others wrote it, then what is damaged, something else, or hostile."""

import json
import os
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from safetensors.torch import save, save_file
from torch import Tensor

from reidctl.errors import InputError
from reidctl.training.checkpoint import build_model, describe, save_checkpoint
from reidctl.weights import load_weights, read_weights
from reidctl.weights.pytorch_file import CONTAINERS, PickleRefused
from tests.training.stand_ins import Tiny, tiny_config
from tests.weights import files

State = dict[str, Tensor]
BOTH = pytest.mark.parametrize("archive", [files.NEW, files.OLD], ids=["archive", "stream"])


def _same(found: State, expected: State) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], value) for name, value in expected.items())


def test_a_checkpoint_of_ours_is_read(tmp_path: Path, path: Path) -> None:
    config = tiny_config(tmp_path)
    model = build_model(config)
    save_checkpoint(path, model, config, describe(model, config))
    found = read_weights(path)
    assert found.kind == "safetensors"
    assert _same(found.tensors, dict(model.state_dict()))


@BOTH
@pytest.mark.parametrize("container", [None, *CONTAINERS])
def test_state_dicts_are_found_where_training_programs_put_them(
    path: Path, state: State, container: str | None, archive: bool
) -> None:
    document = state if container is None else {"epoch": 3, container: OrderedDict(state), "best": 0.5}
    found = read_weights(files.save(path, document, archive))
    assert found.kind == ("PyTorch" if archive else "PyTorch before 1.6")
    assert _same(found.tensors, state)


def test_containers_may_be_nested(path: Path, state: State) -> None:
    assert _same(read_weights(files.save(path, {"model": {"state_dict": state}})).tensors, state)


@BOTH
@pytest.mark.parametrize("classes", [0, 1041])
def test_a_checkpoint_of_the_original_toolkit_loads_whole(
    path: Path, model: Tiny, state: State, classes: int, archive: bool
) -> None:
    report = load_weights(model, files.save(path, files.original(state, classes), archive))
    assert report.complete
    assert len(report.loaded) == len(state)
    assert [(item.name, item.shape) for item in report.skipped] == [("module.classifier.weight", (6, classes))]
    assert _same(dict(model.state_dict()), state)


@BOTH
def test_a_checkpoint_of_torchreid_without_numpys_numbers_loads_whole(
    path: Path, model: Tiny, state: State, archive: bool
) -> None:
    report = load_weights(model, files.save(path, {**files.torchreid(state), "rank1": 0.94}, archive))
    assert report.complete
    assert [item.name for item in report.skipped] == ["classifier.weight", "classifier.bias"]


@BOTH
def test_weights_of_half_precision_are_read(path: Path, model: Tiny, state: State, archive: bool) -> None:
    halves = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    assert load_weights(model, files.save(path, halves, archive)).complete
    assert torch.equal(model.fc.weight, halves["fc.weight"].float())


def test_the_initialisers_of_an_onnx_file_are_read(path: Path, model: Tiny, state: State) -> None:
    file = files.save_onnx(path, *files.initialisers({**state, "classifier.weight": torch.zeros(6, 5)}))
    report = load_weights(model, file)
    assert (report.kind, report.complete, len(report.loaded)) == ("ONNX", True, len(state))
    assert _same(dict(model.state_dict()), state)


@pytest.mark.parametrize(
    ("onnx_type", "dtype"),
    [
        (TensorProto.FLOAT, torch.float32),
        (TensorProto.FLOAT16, torch.float16),
        (TensorProto.DOUBLE, torch.float64),
        (TensorProto.BFLOAT16, torch.float32),
        (TensorProto.INT64, torch.int64),
        (TensorProto.INT8, torch.int8),
        (TensorProto.INT4, torch.int8),
        (TensorProto.BOOL, torch.bool),
    ],
)
@pytest.mark.parametrize("raw", [False, True])
def test_initialisers_of_every_type_keep_their_numbers(
    path: Path, onnx_type: int, dtype: torch.dtype, raw: bool
) -> None:
    array = np.array([[1, 0], [0, 1]]).astype(helper.tensor_dtype_to_np_dtype(onnx_type))
    if raw:
        tensor = onnx.numpy_helper.from_array(array, "x")
    else:
        tensor = helper.make_tensor("x", onnx_type, [2, 2], [1, 0, 0, 1])
    found = read_weights(files.save_onnx(path, tensor)).tensors["x"]
    assert found.dtype == dtype
    assert found.float().tolist() == [[1, 0], [0, 1]]


def test_an_onnx_file_with_folded_batch_norms_says_what_to_take_instead(path: Path, model: Tiny, state: State) -> None:
    folded = {name: value for name, value in state.items() if not name.startswith("stem.1.")}
    with pytest.raises(InputError, match="only in part") as caught:
        load_weights(model, files.save_onnx(path, *files.initialisers(folded)))
    assert "folded" in str(caught.value.hint)


@pytest.mark.parametrize("length", [0x0280, 0x0380, 0x0480, 0x0580, 0x0A08, 0x0708])
def test_the_length_of_a_header_is_taken_for_no_other_format(path: Path, length: int) -> None:
    # The first bytes of a safetensors file are a number, here those that pickles and ONNX files begin with.
    content = save({"a": torch.ones(2)})
    header = content[8 : 8 + int.from_bytes(content[:8], "little")].ljust(length)
    path.write_bytes(struct.pack("<Q", length) + header + content[-8:])
    assert read_weights(path).tensors["a"].tolist() == [1, 1]


# Damaged files


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    torch.manual_seed(1)
    state = dict(Tiny(image_size=(32, 16)).state_dict())
    folder = tmp_path_factory.mktemp("whole")
    return {
        "safetensors": save(state),
        "archive": files.save(folder / "a", files.original(state)).read_bytes(),
        "stream": files.save(folder / "b", files.original(state), files.OLD).read_bytes(),
        "ONNX": files.save_onnx(folder / "c", *files.initialisers(state)).read_bytes(),
    }


@pytest.mark.parametrize("kind", ["safetensors", "archive", "stream", "ONNX"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_that_was_cut_short_is_refused(
    whole: dict[str, bytes], path: Path, kind: str, data: st.DataObject
) -> None:
    content = whole[kind]
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(InputError, match=r"weights\.bin"):
        load_weights(Tiny(image_size=(32, 16)), path)


@pytest.mark.parametrize("kind", ["safetensors", "archive", "stream", "ONNX"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_with_changed_bytes_is_read_or_refused(
    whole: dict[str, bytes], path: Path, kind: str, data: st.DataObject
) -> None:
    content = bytearray(whole[kind])
    # The beginning and the end say what the rest is; noise elsewhere is another number, mostly.
    place = st.one_of(st.integers(0, 300), st.integers(-300, -1), st.integers(0, len(content) - 1))
    for at in data.draw(st.lists(place, min_size=1, max_size=4)):
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with suppress(InputError):
        load_weights(Tiny(image_size=(32, 16)), path, allow_partial=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"just some text\n" * 40, "no file of weights of a known format"),
        (b"<!DOCTYPE html><html>Too many users have viewed this file</html>", "a web page"),
        (b'<?xml version="1.0"?><net name="net" version="11">', "OpenVINO IR"),
        (b"PK\x03\x04 and nothing more", "a damaged PyTorch file"),
        (b"\x80", "a pickle that torch.save did not write"),
        (b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00}\x94.", "a pickle that torch.save did not write"),
        (b"\x08\x07\x12\x07pytorch", "the ONNX file holds no tensors"),
        (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "no intact ONNX file"),
    ],
)
def test_what_is_something_else_is_said(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_weights(path)
    assert str(caught.value).startswith(str(path))


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_weights(tmp_path / "none")
    with pytest.raises(InputError, match="a folder"):
        read_weights(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="no such file"):
        read_weights(tmp_path / "pipe")


def test_of_a_run_folder_the_checkpoint_is_named(tmp_path: Path) -> None:
    best = tmp_path / "weights" / "best.safetensors"
    best.parent.mkdir()
    best.touch()
    with pytest.raises(InputError) as caught:
        read_weights(tmp_path)
    assert caught.value.hint == f"give the checkpoint {best}"


@pytest.mark.parametrize("document", [3, [torch.ones(1)], {"state_dict": None}, {"epoch": 3}, {3: torch.ones(1)}])
def test_a_pytorch_file_without_a_state_dict_is_refused(path: Path, document: object) -> None:
    with pytest.raises(InputError, match=r"no state dict, but|holds no tensors"):
        read_weights(files.save(path, document))


def test_a_network_without_weights_is_refused(path: Path) -> None:
    with pytest.raises(InputError, match="the ONNX file holds no tensors"):
        read_weights(files.save_onnx(path))


def test_numbers_in_another_file_are_refused(path: Path) -> None:
    [tensor] = files.initialisers({"x": torch.ones(2)})
    onnx.external_data_helper.set_external_data(tensor, location="../../../etc/passwd")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    with pytest.raises(InputError, match="the numbers of 'x' are in another file"):
        read_weights(files.save_onnx(path, tensor))


# Hostile files


@BOTH
@pytest.mark.parametrize("function", [os.system, eval, exec, os.unlink], ids=lambda function: function.__name__)
def test_a_pickle_that_runs_something_is_refused_before_it_does(
    path: Path, tmp_path: Path, state: State, archive: bool, function: Callable[..., object]
) -> None:
    ran = tmp_path / "ran"
    arguments = {
        "system": f"touch {ran}",
        "eval": f"open({str(ran)!r}, 'w')",
        "exec": f"open({str(ran)!r}, 'w')",
        "unlink": str(path),
    }
    call = files.Call(function, arguments[function.__name__])
    files.save(path, {"state_dict": state, "note": call}, archive)
    with pytest.raises(PickleRefused, match="a pickle that wants to call") as caught:
        read_weights(path)
    assert str(caught.value.wanted).rpartition(".")[2] == function.__name__
    assert f"`reidctl convert-weights {path}" in str(caught.value.hint)
    assert not ran.exists()
    assert path.exists()


@BOTH
def test_numpys_numbers_are_refused_by_name(path: Path, state: State, archive: bool) -> None:
    with pytest.raises(PickleRefused, match=r"wants to call numpy\._core\.multiarray\.scalar") as caught:
        read_weights(files.save(path, files.torchreid(state), archive))
    assert "--trust-pickle" in str(caught.value.hint)


@BOTH
def test_a_whole_module_is_refused_by_name(path: Path, archive: bool) -> None:
    with pytest.raises(PickleRefused, match=r"torch\.nn\.modules\.linear\.Linear"):
        read_weights(files.save(path, torch.nn.Linear(2, 3), archive))


def test_a_tar_file_is_refused(path: Path, state: State) -> None:
    with pytest.raises(PickleRefused, match="a tar file"):
        read_weights(files.tar(path, {"fc.weight": state["fc.weight"]}))


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_program_is_refused(path: Path) -> None:
    torch.jit.trace(torch.nn.Linear(2, 3), torch.zeros(1, 2)).save(path)
    with pytest.raises(PickleRefused, match="TorchScript"):
        read_weights(path)


def test_an_archive_that_unpacks_to_more_than_it_has_is_refused(path: Path, state: State) -> None:
    files.save(path, state)
    files.rezip(path, zipfile.ZIP_DEFLATED, **{"archive/data/99": bytes(50_000_000)})
    assert path.stat().st_size < 1_000_000
    with pytest.raises(InputError, match="claims more bytes than it has"):
        read_weights(path)


def test_an_archive_that_lies_about_a_size_is_refused(path: Path, state: State) -> None:
    content = bytearray(files.save(path, state).read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = struct.pack("<I", 0xFFFFFF00)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"weights\.bin"):
        read_weights(path)


@pytest.mark.parametrize("name", ["../../outside", "/outside", "archive/../../outside"])
def test_an_archive_with_paths_that_lead_out_is_refused(path: Path, tmp_path: Path, state: State, name: str) -> None:
    files.rezip(files.save(path, state), **{name: b"anything"})
    with pytest.raises(InputError, match="paths that lead out"):
        read_weights(path)
    assert list(tmp_path.iterdir()) == [path]


def test_another_archive_is_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"")
    with pytest.raises(InputError, match=r"torch\.save did not write"):
        read_weights(path)


def test_a_storage_smaller_than_its_tensor_is_refused(path: Path) -> None:
    tensor = torch.ones(4)
    call = files.Call(
        torch._utils._rebuild_tensor_v2, tensor.untyped_storage(), 0, (2**40,), (1,), False, OrderedDict()
    )
    with pytest.raises(InputError, match="damaged"):
        read_weights(files.save(path, {"x": call}))


def test_a_tensor_that_repeats_one_number_fills_no_memory(path: Path, model: Tiny, state: State) -> None:
    state["fc.weight"] = torch.ones(1).expand(2**45)
    report = load_weights(model, files.save(path, state), allow_partial=True)
    assert [item.shape for item in report.skipped] == [(2**45,)]


@pytest.mark.parametrize(
    "offsets",
    [[[0, 16], [8, 24]], [[0, 16], [0, 16]], [[0, 2**62], [2**62, 2**62]], [[8, 0], [0, 8]], [[-8, 8], [8, 24]]],
)
def test_safetensors_with_wrong_offsets_are_refused(path: Path, offsets: list[list[int]]) -> None:
    header = json.dumps(
        {name: {"dtype": "F32", "shape": [4], "data_offsets": place} for name, place in zip("ab", offsets, strict=True)}
    ).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(32))
    with pytest.raises(InputError, match="not a safetensors file"):
        read_weights(path)


@pytest.mark.parametrize("length", [2**60, 2**63, 2**64 - 1, 10**8, 100])
def test_safetensors_with_a_huge_header_are_refused(path: Path, length: int) -> None:
    path.write_bytes(struct.pack("<Q", length) + b'{"a":{}}')
    with pytest.raises(InputError, match=r"not a safetensors file|no file of weights"):
        read_weights(path)


def test_an_initialiser_that_claims_more_numbers_than_it_has_is_refused(path: Path) -> None:
    [tensor] = files.initialisers({"x": torch.ones(2)})
    tensor.dims[:] = [2**40, 2**20]
    with pytest.raises(InputError, match="damaged: tensor 'x'"):
        read_weights(files.save_onnx(path, tensor))


@pytest.mark.parametrize("name", ["\x1b[2Jconv.weight", "a\nb", "x" * 100_000])
def test_names_that_would_spoil_a_terminal_are_refused(path: Path, name: str) -> None:
    save_file({name: torch.ones(1)}, path)
    with pytest.raises(InputError, match="is no tensor's name") as caught:
        read_weights(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
