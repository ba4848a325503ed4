"""`--input` and `--extension`: what users say of files that say nothing of themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from reidctl.errors import ConfigError, suggestion
from reidctl.types import Spec

WORDS: dict[str, dict[str, Any]] = {
    "bgr": {"color_order": "bgr"},
    "rgb": {"color_order": "rgb"},
    "raw": {"pixels": "raw"},
    "normalized": {"pixels": "normalized"},
}
HINT = (
    "write for example --input rgb, --input bgr,raw,256x128, --input output=NAME or --input '{mean: [0.5, 0.5, 0.5]}'"
)


def runtime_told(path: Path, input_: str | None, extension: Path | None) -> Spec:
    """The runtime for a file, with what the two options say of it; ConfigError where it cannot be told."""
    from reidctl.artefacts import runtime_for
    from reidctl.registry import runtimes

    spec = runtime_for(path)
    told = {"foreign": None if input_ is None else _facts(input_), "extension": extension and str(extension)}
    said = {key: value for key, value in told.items() if value is not None}
    for key in said.keys() - runtimes.parameters(spec.name).model_fields.keys():
        option = {"foreign": "--input", "extension": "--extension"}[key]
        raise ConfigError(f"{option}: {path} needs none, nor can its runtime '{spec.name}' be told", "leave it out")
    return Spec(name=spec.name, **said)


def _facts(text: str) -> dict[str, Any]:
    if text.startswith("{"):
        from reidctl.config.reader import read_value

        facts: dict[str, Any] = read_value(text, "--input")
        return facts
    facts = {}
    for word in text.split(","):
        fact = _fact(word.strip())
        if facts.keys() & fact.keys():
            raise ConfigError(f"--input {text}: '{word.strip()}' says again what another word says", HINT)
        facts |= fact
    return facts


def _fact(word: str) -> dict[str, Any]:
    if word.lower() in WORDS:
        return WORDS[word.lower()]
    if size := re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", word):
        return {"height": int(size[1]), "width": int(size[2])}
    name, equals, value = word.partition("=")
    if name == "output" and equals and value:
        return {"output": value}
    raise ConfigError(f"--input: '{word}' says nothing of an input", suggestion(word, WORDS, HINT))
