"""One entry point `acme/*` offers every name `acme/<member>`; packages are made as in `test_registry`."""

import sys

import pytest

from reidctl.errors import ConfigError, PluginError, UnknownName
from reidctl.registry import Registry
from reidctl.types import Spec
from tests.test_registry import Install, install, losses

__all__ = ["install"]

RINGS = '''
def small(radius: float = 1.0, *, embedding_dim: int): return ("small", radius, embedding_dim)
def large(sides: int = 3): return ("large", sides)

class Rings:
    """Rings."""
    parts = {"small": small, "large": large}

    def names(self):
        return [*self.parts, "torn", "lost"]

    def __call__(self, member):
        if member == "torn":
            raise RuntimeError("torn apart")
        return self.parts[member]

rings = Rings()
nothing = 3
'''


@pytest.fixture
def acme(install: Install) -> Registry:
    install("acme-ring", {"acme/*": "acme_ring:rings"}, source=RINGS)
    return losses()


def test_a_member_is_a_part_with_its_own_signature(acme: Registry) -> None:
    assert acme.build(Spec(name="acme/small", radius=2), embedding_dim=8) == ("small", 2.0, 8)
    assert acme.build(Spec(name="acme/large"), embedding_dim=8) == ("large", 3)
    with pytest.raises(ConfigError, match=r"loss 'acme/large'\.radius: no such key"):
        acme.build(Spec(name="acme/large", radius=2))


def test_a_family_is_listed_once_and_its_members_are_found_without_an_import(acme: Registry) -> None:
    assert "acme/*" in acme.names()
    entry = acme.find("acme/small")
    assert (entry.name, entry.member, entry.package, entry.is_family) == ("acme/small", "small", "acme-ring", False)
    assert "acme_ring" not in sys.modules


def test_the_members_of_a_family_are_named_whole(acme: Registry) -> None:
    assert acme.members("acme") == ["acme/small", "acme/large", "acme/torn", "acme/lost"]
    assert acme.members("acme-ring:acme")[0] == "acme-ring:acme/small"
    assert acme.load("acme-ring:acme/small") is acme.load("acme/small")


def test_a_family_that_is_not_there_suggests_the_nearest(acme: Registry) -> None:
    with pytest.raises(UnknownName) as caught:
        acme.members("acmee")
    assert caught.value.hint == "did you mean 'acme/*'?"


def test_an_unknown_member_suggests_the_nearest(acme: Registry) -> None:
    with pytest.raises(UnknownName, match=r"^no loss named 'acme/smal'$") as caught:
        acme.load("acme/smal")
    assert caught.value.hint == "did you mean 'acme/small'?"


def test_a_member_like_no_other_points_to_the_list(acme: Registry) -> None:
    with pytest.raises(UnknownName) as caught:
        acme.load("acme/zzzz")
    assert caught.value.hint == "`reidctl losses list --family acme` shows all 4"


def test_a_mistyped_family_of_a_member_is_suggested(acme: Registry) -> None:
    with pytest.raises(UnknownName, match="no loss named 'acne/small'") as caught:
        acme.find("acne/small")
    assert caught.value.hint == "did you mean 'acme/small'?"


def test_a_family_that_is_left_out_is_named(acme: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REIDCTL_PLUGINS", "none")
    for name in ("acme/small", "acme-ring:acme/small", "acme/*"):
        with pytest.raises(UnknownName) as caught:
            losses().find(name)
        assert caught.value.hint == "REIDCTL_PLUGINS leaves out acme-ring, which offers it"
    with pytest.raises(UnknownName) as caught:
        losses().find("beta-ring:acme/small")
    assert "leaves out" not in str(caught.value.hint)


@pytest.mark.parametrize("name", ["acme", "acme/", "small"])
def test_half_a_name_is_no_member(acme: Registry, name: str) -> None:
    with pytest.raises(UnknownName):
        acme.find(name)


@pytest.mark.parametrize("name", ["acme/*", "acme-ring:acme/*"])
def test_a_family_as_a_whole_is_no_part(acme: Registry, name: str) -> None:
    with pytest.raises(UnknownName, match="is a family of losses") as caught:
        acme.build(Spec(name=name))
    assert f"--family {name.removesuffix('/*')}`" in (caught.value.hint or "")


def test_an_entry_of_its_own_wins_over_a_member(acme: Registry, install: Install) -> None:
    install("beta-ring", {"acme/small": "beta_ring:Ring"})
    found = losses()
    assert found.find("acme/small").package == "beta-ring"
    assert found.find("acme-ring:acme/small").member == "small"
    assert found.find("acme/large").package == "acme-ring"


def test_two_packages_with_one_family_are_both_named_and_either_can_be_chosen(acme: Registry, install: Install) -> None:
    install("beta-ring", {"acme/*": "beta_ring:rings"}, source=RINGS)
    found = losses()
    with pytest.raises(PluginError, match=r"offered by acme-ring 1\.2 and beta-ring 1\.2") as caught:
        found.load("acme/small")
    assert caught.value.hint == "write acme-ring:acme/small or beta-ring:acme/small"
    assert found.load("beta-ring:acme/small").__module__ == "beta_ring"
    assert {"acme-ring:acme/*", "beta-ring:acme/*"} <= set(found.names())


@pytest.mark.parametrize(
    ("member", "words"), [("torn", "RuntimeError: torn apart"), ("lost", "does not import: KeyError: 'lost'")]
)
def test_a_member_that_cannot_be_made_is_the_plugins_fault(acme: Registry, member: str, words: str) -> None:
    with pytest.raises(PluginError, match=r"acme-ring 1\.2 \(acme_ring:rings\)") as caught:
        acme.load(f"acme/{member}")
    assert words in str(caught.value)


@pytest.mark.parametrize("target", ["nothing", "small"])
def test_a_target_that_is_no_family_is_the_plugins_fault(install: Install, target: str) -> None:
    install("acme-ring", {"acme/*": f"acme_ring:{target}"}, source=RINGS)
    with pytest.raises(PluginError, match=r"acme-ring 1\.2 \(acme_ring:\w+\): no family"):
        losses().load("acme/small")
    with pytest.raises(PluginError, match="no family"):
        losses().find("acme/*").load()
