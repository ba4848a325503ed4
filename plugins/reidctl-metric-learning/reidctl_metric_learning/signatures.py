"""What the library's classes take, with types: it states defaults alone.

A default that is a number stands for any number, one that is true or false for a switch. What a default does not tell
is in TYPES. Objects that the library's parameters take are left at its defaults, but for miners and distances.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from annotated_types import Ge
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model

from reidctl.errors import PluginError, nearest
from reidctl.types import Spec

Count = Annotated[int, Ge(1)]
Range = tuple[float, float] | None

TYPES: Mapping[str, Any] = {
    "LargeMarginSoftmaxLoss.margin": Count,
    "SphereFaceLoss.margin": Count,
    "RankedListLoss.margin": float,
    "RankedListLoss.Tn": float,
    "RankedListLoss.alpha": float | None,
    "PNPLoss.variant": Literal["Ds", "Dq", "Iu", "Ib", "O"],
    "triplets_per_anchor": Count | Literal["all"],
    "type_of_triplets": Literal["all", "hard", "semihard", "easy"],
    "pos_strategy": Literal["hard", "semihard", "easy", "all"],
    "neg_strategy": Literal["hard", "semihard", "easy", "all"],
    "allowed_pos_range": Range,
    "allowed_neg_range": Range,
    "num_bins": Count,
    "pos_per_bin": Count,
    "neg_per_bin": Count,
    "centers_per_class": Count,
    "sub_centers": Count,
}
"""Types by parameter, or by class and parameter."""

GIVEN = {"embedding_size": "embedding_dim", "num_classes": "num_classes"}
"""What the program gives, by the library's name for it."""

OBJECTS = {"embedding_regularizer", "weight_regularizer", "reducer", "distance", "weight_init_func", "collect_stats"}
OF_OBJECTS = {"embedding_reg_weight", "weight_reg_weight"}
SET_BY_THE_CLASS = {"mat_based_loss", "is_inverted"}
SET_BY_SOME = {
    "BatchHardMiner": {"pos_strategy", "neg_strategy"},
    "CosineSimilarity": {"normalize_embeddings", "p", "power"},
    "DotProductSimilarity": {"p", "power"},
}


def library_parameters(target: type) -> dict[str, inspect.Parameter]:
    """The parameters of a class of the library and of those it is made from, as far as a user may set them."""
    hidden = OBJECTS | OF_OBJECTS | SET_BY_THE_CLASS | SET_BY_SOME.get(target.__name__, set())
    found: dict[str, inspect.Parameter] = {}
    for ancestor in target.__mro__:
        if not ancestor.__module__.startswith("pytorch_metric_learning"):
            continue
        if "__init__" in vars(ancestor):
            for name, parameter in list(inspect.signature(vars(ancestor)["__init__"]).parameters.items())[1:]:
                if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and name not in hidden:
                    found.setdefault(name, parameter)
    return found


def typed(target: type) -> dict[str, tuple[Any, Any]]:
    """Type and default (`...` for none) of each parameter of a class that the user gives.

    Raises PluginError for one whose type nothing tells, as a newer version of the library may have.
    """
    return {
        name: (_type(target, parameter), ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in library_parameters(target).items()
        if name not in GIVEN
    }


def _type(target: type, parameter: inspect.Parameter) -> Any:
    for key in (f"{target.__name__}.{parameter.name}", parameter.name):
        if key in TYPES:
            return TYPES[key]
    match parameter.default:
        case bool():
            return bool
        case int() | float():
            return float
        case _:
            raise PluginError(
                f"{target.__name__} has a parameter '{parameter.name}' of a type that is not known",
                "use a version of reidctl-metric-learning made for this pytorch-metric-learning",
            )


def choice(kind: str, classes: Mapping[str, type], description: str) -> Any:
    """The type of a parameter that names one of `classes` with its own parameters, or is null.

    `{name: TripletMarginMiner, margin: 0.1}`, or the name alone; the value has every default written out.
    """

    def checked(spec: Spec) -> Spec:
        if spec.name not in classes:
            near = nearest(spec.name, classes)
            known = f"did you mean '{near}'?" if near else f"there are {', '.join(classes)}"
            raise ValueError(f"no {kind} named '{spec.name}'; {known}")
        model = _model(classes[spec.name])
        try:
            values = model.model_validate_json(json.dumps(spec.parameters))
        except ValidationError as error:
            first, known = error.errors()[0], ", ".join(model.model_fields) or "no parameters"
            where = ".".join([f"{kind} {spec.name}", *map(str, first["loc"])])
            what = "no such parameter" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Input ")
            raise ValueError(f"{where}: {what}; it takes {known}") from error
        return Spec(name=spec.name, **values.model_dump())

    return Annotated[Annotated[Spec, AfterValidator(checked)] | None, Field(description=description)]


def _model(target: type) -> type[BaseModel]:
    strict = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    fields: dict[str, Any] = typed(target)
    return create_model(target.__name__, __config__=strict, **fields)
