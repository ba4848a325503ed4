"""Downloads against a real server on this machine that breaks off, lies and answers ranges."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reidctl.errors import InputError, UnknownName
from reidctl.zoo import File, Network, download, networks
from reidctl.zoo.download import fetch
from tests.conftest import Cli

CONTENT = bytes(range(256)) * 1000


@dataclass
class Server:
    address: str
    body: bytes = CONTENT
    break_after: int | None = None
    knows_ranges: bool = True
    ranges: list[str | None] = field(default_factory=list)

    def file(self, **facts: object) -> File:
        return File.model_validate({"path": "net.bin", "url": f"{self.address}/net.bin", **facts})


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.ranges.append(wanted)
            wanted = wanted if state.knows_ranges else None
            if self.path != "/net.bin":
                self.send_error(404, "Not Found")
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            if start >= len(state.body):
                self.send_error(416, "Range Not Satisfiable")
                return
            rest = state.body[start:]
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            self.wfile.write(rest if state.break_after is None else rest[: state.break_after])

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        state = Server(f"http://127.0.0.1:{running.server_port}")
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield state
        running.shutdown()


SHA384 = hashlib.sha384(CONTENT).hexdigest()


def test_a_whole_file_takes_its_name(server: Server, tmp_path: Path) -> None:
    arrived: list[int] = []
    path = fetch(server.file(bytes=len(CONTENT), sha384=SHA384), tmp_path / "net.bin", arrived.append)
    assert path.read_bytes() == CONTENT
    assert sum(arrived) == len(CONTENT)
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_there_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_bytes(CONTENT)
    fetch(server.file(bytes=len(CONTENT), sha384=SHA384), tmp_path / "net.bin")
    assert server.ranges == []


def test_a_broken_download_continues_where_it_stopped(server: Server, tmp_path: Path) -> None:
    file = server.file(bytes=len(CONTENT), sha384=SHA384)
    server.break_after = 100_000
    with pytest.raises(InputError, match="cannot be fetched"):
        fetch(file, tmp_path / "net.bin")
    assert (tmp_path / "net.bin.part").stat().st_size == 100_000
    server.break_after = None
    assert fetch(file, tmp_path / "net.bin").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-"]


def test_a_server_without_ranges_sends_all_of_it_again(server: Server, tmp_path: Path) -> None:
    server.knows_ranges = False
    (tmp_path / "net.bin.part").write_bytes(CONTENT[:100_000])
    assert fetch(server.file(sha384=SHA384), tmp_path / "net.bin").read_bytes() == CONTENT
    assert server.ranges == ["bytes=100000-"]


def test_the_command_downloads_what_the_catalogue_names(
    server: Server, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = server.file(bytes=len(CONTENT), sha384=SHA384)
    gone = File(path="old.bin", url="http://127.0.0.1:9/old.bin")
    known = {"net": Network(about="a network", licence="MIT", files=(whole, gone))}
    monkeypatch.setattr("reidctl.zoo.catalogue.networks", lambda: known)
    line = ("zoo", "download", "net", "-o", tmp_path)
    found = cli(*line, "--only", "net")
    assert (found.code, found.out) == (0, f"{tmp_path / 'net' / 'net.bin'}\n")
    assert (tmp_path / "net" / "net.bin").read_bytes() == CONTENT
    failed = cli(*line)
    assert failed.code == 2
    error, hint = failed.err.splitlines()
    assert error.startswith("error: http://127.0.0.1:9/old.bin: cannot be fetched: ")
    assert hint.startswith("hint:  connect and call again")
    assert cli("zoo", "download", "nett").code == 2


def test_the_command_lists_every_network(cli: Cli) -> None:
    listed = json.loads(cli("zoo", "list", "--json").out)
    assert listed["schema"] == "reidctl.zoo/1"
    assert set(listed["networks"]) == set(networks())
    shown = cli("zoo", "list").out
    assert all(name in shown for name in networks())


def test_a_part_that_had_arrived_whole_is_only_checked(server: Server, tmp_path: Path) -> None:
    (tmp_path / "net.bin.part").write_bytes(CONTENT)
    assert fetch(server.file(sha384=SHA384), tmp_path / "net.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"bytes": 5}, "256000 bytes instead of 5"),
        ({"sha384": "0" * 96}, "sha384 .* instead of 000000000000"),
        ({"sha256": "0" * 64}, "sha256 .* instead of 000000000000"),
    ],
)
def test_another_file_than_the_published_one_is_thrown_away(
    server: Server, tmp_path: Path, facts: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        fetch(server.file(**facts), tmp_path / "net.bin")
    assert list(tmp_path.iterdir()) == []


def test_a_confirmation_page_is_no_network(server: Server, tmp_path: Path) -> None:
    server.body = b"<!DOCTYPE html><html>Are you sure?</html>"
    with pytest.raises(InputError, match="a web page"):
        fetch(server.file(), tmp_path / "net.bin")


def test_a_missing_file_is_one_line(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the server answers 404 Not Found"):
        fetch(File(path="x", url=f"{server.address}/other"), tmp_path / "x")


def test_a_disk_that_takes_no_more_is_not_the_network(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net.bin.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device") as caught:
        fetch(server.file(), tmp_path / "net.bin")
    assert caught.value.filename == str(tmp_path / "net.bin")
    (tmp_path / "other.bin.part").mkdir()
    with pytest.raises(IsADirectoryError):
        fetch(server.file(), tmp_path / "other.bin")


def test_without_a_network_the_reason_and_the_way_out_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be fetched") as caught:
        fetch(File(path="x", url="http://127.0.0.1:9/x"), tmp_path / "x")
    assert "put the file at" in str(caught.value.hint)


def test_an_unknown_network_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownName) as caught:
        download("osnet_x1_0-imagnet", tmp_path)
    assert caught.value.hint == "did you mean 'osnet_x1_0-imagenet'?"


def test_the_catalogue_holds_the_four_retail_networks_with_checksums() -> None:
    retail = {name: network for name, network in networks().items() if name.startswith("person-")}
    assert [name[-4:] for name in retail] == ["0277", "0286", "0287", "0288"]
    assert all(len(file.sha384 or "") == 96 and file.bytes for network in retail.values() for file in network.files)


def test_the_catalogue_holds_what_training_starts_from() -> None:
    osnets = [f"osnet_{width}" for width in ("x1_0", "x0_75", "x0_5", "x0_25", "ibn_x1_0")]
    osnets += [f"osnet_ain_{width}" for width in ("x1_0", "x0_75", "x0_5", "x0_25")]
    assert {name for name in networks() if name.endswith("-imagenet")} == {f"{osnet}-imagenet" for osnet in osnets}
    assert [networks()[f"{osnet}-imagenet"].files[0].path for osnet in osnets] == [
        f"{osnet}_imagenet.pth" for osnet in osnets
    ]
    assert [name for name in networks() if name.endswith("-snapshot")] == [
        f"retail-{number}-snapshot" for number in ("0248", "0265", "0267", "0270")
    ]
