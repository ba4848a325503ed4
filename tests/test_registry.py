"""Parts come from installed packages; here packages are metadata and modules in a temporary folder."""

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reidctl import registry as registries
from reidctl.errors import ConfigError, MissingPackage, PluginError, UnknownName
from reidctl.registry import Registry
from reidctl.types import Spec
from tests.conftest import Packages

Install = Callable[..., None]

LOSS = '''
from typing import Annotated
from annotated_types import Gt

class Ring:
    """A ring."""
    def __init__(
        self, radius: Annotated[float, Gt(0)] = 1.0, sides: int = 3, *, embedding_dim: int, num_classes: int = 7
    ):
        self.all = (radius, sides, embedding_dim, num_classes)
'''


def _look_again() -> None:
    registries._installed.cache_clear()
    registries._api_versions.cache_clear()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a package with one module and its entry points where Python finds it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules: list[str] = []

    def run(
        package: str, parts: dict[str, str], source: str = LOSS, api: str | None = "v1", kind: str = "losses"
    ) -> None:
        module = package.replace("-", "_")
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
        info = tmp_path / f"{module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        stated = f"[reidctl.api]\nversion = {api}\n" if api else ""
        points = "\n".join(f"{name} = {target}" for name, target in parts.items())
        (info / "entry_points.txt").write_text(f"{stated}[reidctl.{kind}]\n{points}\n")
        _look_again()

    _look_again()
    yield run
    _look_again()
    for module in modules:
        sys.modules.pop(module, None)


def losses() -> Registry:
    return Registry("loss", "losses")


def test_a_part_of_another_package_is_built_by_name(install: Install) -> None:
    install("acme-ring", {"ring": "acme_ring:Ring"})
    built = losses().build(Spec(name="ring", radius=2), embedding_dim=8, image_size=(2, 1))
    assert built.all == (2.0, 3, 8, 7)


def test_listing_imports_nothing(install: Install) -> None:
    install("acme-ring", {"ring": "acme_ring:Ring"})
    assert "ring" in losses().names()
    assert losses().find("ring").version == "1.2"
    assert "acme_ring" not in sys.modules


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="no loss named 'tripplet'") as caught:
        losses().load("tripplet")
    assert caught.value.hint == "did you mean 'triplet'?"


def test_a_name_like_no_other_points_to_the_list() -> None:
    with pytest.raises(UnknownName) as caught:
        losses().load("zzzz")
    assert caught.value.hint == f"`reidctl losses list` shows all {len(losses().entries)}"


@pytest.mark.parametrize(
    ("kind", "plural", "name", "package"),
    [
        ("index", "indexes", "lancedb", "reidctl-lancedb"),
        ("index", "indexes", "reidctl-lancedb:lancedb", "reidctl-lancedb"),
        ("loss", "losses", "pml/ContrastiveLoss", "reidctl-metric-learning"),
        ("loss", "losses", "pml/*", "reidctl-metric-learning"),
        ("dataset", "datasets", "cuhk03", "reidctl-datasets"),
    ],
)
def test_a_part_of_a_package_of_ours_that_is_not_installed_names_the_package(
    kind: str, plural: str, name: str, package: str, packages: Packages
) -> None:
    with pytest.raises(MissingPackage, match=f"is in the package {package}, which is not installed") as caught:
        Registry(kind, plural).find(name)
    assert (caught.value.hint, caught.value.exit_code) == (f"pip install {package}", 3)
    # Once somebody offers the name, it is theirs.
    short = name.rpartition(":")[2]
    packages.add(package, {plural: {short: "Ring"}}, LOSS)
    assert Registry(kind, plural).find(name).package == package


def test_a_broken_part_names_package_version_target_and_cause_and_disturbs_nobody(install: Install) -> None:
    install("acme-broken", {"broken": "acme_broken:Ring"}, source="import no_such_library")
    install("acme-ring", {"ring": "acme_ring:Ring"})
    with pytest.raises(PluginError) as caught:
        losses().load("broken")
    for word in ("'broken'", "acme-broken 1.2", "acme_broken:Ring", "No module named 'no_such_library'"):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert losses().load("ring").__name__ == "Ring"


def test_a_target_that_is_not_in_its_module_is_one_line(install: Install) -> None:
    install("acme-ring", {"ring": "acme_ring:Rong"})
    with pytest.raises(PluginError, match=r"acme-ring 1.2 \(acme_ring:Rong\) does not import: AttributeError"):
        losses().load("ring")


def test_two_packages_with_one_name_are_both_named_and_either_can_be_chosen(install: Install) -> None:
    install("acme-ring", {"ring": "acme_ring:Ring"})
    install("beta-ring", {"ring": "beta_ring:Ring"})
    with pytest.raises(PluginError, match=r"offered by acme-ring 1.2 and beta-ring 1.2") as caught:
        losses().load("ring")
    assert caught.value.hint == "write acme-ring:ring or beta-ring:ring"
    assert losses().load("beta-ring:ring").__module__ == "beta_ring"
    assert {"acme-ring:ring", "beta-ring:ring"} <= set(losses().names())


def test_a_guest_that_takes_a_built_in_name_is_an_error_with_a_way_out(install: Install) -> None:
    install("acme-ring", {"triplet": "acme_ring:Ring"})
    with pytest.raises(PluginError, match=r"acme-ring 1\.2 and reidctl"):
        losses().load("triplet")
    assert losses().load("reidctl:triplet").__module__.startswith("reidctl.losses")


@pytest.mark.parametrize(
    ("api", "words"), [("v2", "was written for plugin API 2"), (None, "states no plugin API version")]
)
def test_another_plugin_api_is_refused_before_the_import(install: Install, api: str | None, words: str) -> None:
    install("acme-ring", {"ring": "acme_ring:Ring"}, source="raise SystemExit('imported')", api=api)
    with pytest.raises(PluginError, match=words):
        losses().load("ring")
    assert "ring" in losses().names()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"radios": 1.0}, "loss 'ring'.radios: no such key"),
        ({"radius": 0}, "loss 'ring'.radius: should be greater than 0"),
        ({"radius": "1"}, "loss 'ring'.radius: should be a number"),
        ({"radius": True}, "loss 'ring'.radius: should be a number"),
        ({"sides": 2.5}, "loss 'ring'.sides: should be an integer"),
        ({"sides": None}, "loss 'ring'.sides: should be an integer"),
        ({"embedding_dim": 4}, "loss 'ring'.embedding_dim: no such key"),
    ],
)
def test_parameters_are_checked_against_the_signature(
    install: Install, parameters: dict[str, object], words: str
) -> None:
    install("acme-ring", {"ring": "acme_ring:Ring"})
    with pytest.raises(ConfigError) as caught:
        losses().build(Spec(name="ring", **parameters), embedding_dim=8)
    assert words in str(caught.value)


def test_a_part_that_asks_for_what_nobody_gives_is_told_what_there_is(install: Install) -> None:
    install("acme-ring", {"ring": "acme_ring:Ring"})
    with pytest.raises(PluginError, match="asks for 'embedding_dim'") as caught:
        losses().build(Spec(name="ring"), num_classes=3)
    assert caught.value.hint == "a loss may ask for: num_classes"


@pytest.mark.parametrize("source", ["def Ring(x): ...", "def Ring(*sizes: int): ...", "def Ring(**kwargs: int): ..."])
def test_a_signature_that_is_no_schema_is_the_plugins_fault(install: Install, source: str) -> None:
    install("acme-ring", {"ring": "acme_ring:Ring"}, source=source)
    with pytest.raises(PluginError, match="cannot be checked"):
        losses().parameters("ring")


def test_a_constructor_that_fails_is_the_plugins_fault_in_one_line(install: Install) -> None:
    install("acme-ring", {"ring": "acme_ring:Ring"}, source="def Ring(x: int = 1): raise RuntimeError('no')")
    with pytest.raises(PluginError, match="cannot be built: RuntimeError: no"):
        losses().build(Spec(name="ring"))


@pytest.mark.parametrize("registry", registries.REGISTRIES, ids=lambda registry: registry.kind)
def test_every_built_in_imports(registry: Registry) -> None:
    own = [entry for entry in registry.entries if entry.package == "reidctl"]
    # Indexes are packages' alone.
    assert own or registry.kind == "index"
    for entry in own:
        entry.load()
