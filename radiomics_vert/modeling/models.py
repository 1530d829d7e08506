"""Which model: its specification, its hyper-parameter grid, and the one pipeline that it becomes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from sklearn.base import ClassifierMixin
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from radiomics_vert.errors import Problem, SettingsError
from radiomics_vert.modeling.elastic_net import ElasticNetLogistic
from radiomics_vert.modeling.preparation import (
    CorrelationFilter,
    CorrelationMethod,
    NearConstantFilter,
    UnivariateSelector,
)

GridPoint = dict[str, Any]
"""One combination of hyper-parameters, for example `{"k": 5, "l1_ratio": 0.5, "C": 0.2}`."""


@dataclass(frozen=True)
class Preparation:
    """What is done to the features inside the pipeline, before the model sees them.

    Parameters
    ----------
    max_share : float, default 0.95
        See :class:`~radiomics_vert.modeling.preparation.NearConstantFilter`.
    correlation_threshold : float, default 0.9
        See :class:`~radiomics_vert.modeling.preparation.CorrelationFilter`.
    correlation_method : {"spearman", "pearson"}, default "spearman"
        Which correlation.
    missing_indicator : bool, default False
        Add a 0/1 column for every feature with missing values in the training rows. Off by default,
        because missingness often gives the outcome away without being a property of the vertebra.
    """

    max_share: float = 0.95
    correlation_threshold: float = 0.9
    correlation_method: CorrelationMethod = "spearman"
    missing_indicator: bool = False

    def __post_init__(self) -> None:
        if self.correlation_method not in ("spearman", "pearson"):
            raise SettingsError(_wrong("correlation_method", "spearman or pearson", self.correlation_method))
        for name in ("max_share", "correlation_threshold"):
            if not 0 < getattr(self, name) <= 1:
                raise SettingsError(_wrong(name, "a number above 0, at most 1", getattr(self, name)))


@dataclass(frozen=True)
class ModelFamily:
    """An entry of :data:`FAMILIES`: how a kind of model is built and tuned.

    Parameters
    ----------
    title : str
        Name for readers.
    build : callable
        From the class weight to an unfitted scikit-learn classifier with `predict_proba`.
    grid : mapping of str to tuple
        Default hyper-parameter values, simplest first: of equally good points the first one wins. The
        last parameter varies fastest, which is the order of warm starts.
    targets : mapping of str to str
        For each hyper-parameter the pipeline parameter that it sets.
    """

    title: str
    build: Callable[[Literal["balanced"] | None], ClassifierMixin]
    grid: Mapping[str, tuple[Any, ...]]
    targets: Mapping[str, str]


def _elastic_net(class_weight: Literal["balanced"] | None) -> ElasticNetLogistic:
    # Warm starts walk along C within one fold; a clone, such as the refit on the fold, starts cold.
    return ElasticNetLogistic(
        solver="saga",
        l1_ratio=0.5,
        class_weight=class_weight,
        tol=1e-4,
        max_iter=5000,
        random_state=0,
        warm_start=True,
    )


FAMILIES: Mapping[str, ModelFamily] = MappingProxyType(
    {
        "elastic_net": ModelFamily(
            "Elastic-net logistic regression",
            _elastic_net,
            MappingProxyType({"k": (5, 10, 20), "l1_ratio": (0.1, 0.5, 0.9), "C": (0.02, 0.1, 0.5, 2.0)}),
            MappingProxyType({"k": "select__k", "l1_ratio": "model__l1_ratio", "C": "model__C"}),
        )
    }
)
"""The models that :class:`ModelSpec` can name."""


@dataclass(frozen=True)
class ModelSpec:
    """Which model, with which hyper-parameters to choose from.

    Parameters
    ----------
    name : str, default "elastic_net"
        A key of :data:`FAMILIES`.
    grid : mapping of str to sequence, optional
        Values to try per hyper-parameter; those left out keep the values of the family. For
        `elastic_net`: `k` features after selection, `l1_ratio` between ridge (0) and lasso (1), and
        `C`, the inverse strength of the penalty.
    class_weight : {None, "balanced"}, default None
        `balanced` weighs the classes equally; the probabilities are then no longer calibrated to the
        prevalence of the study.
    preparation : Preparation
        What happens to the features before.

    Raises
    ------
    SettingsError
        RV602 for an unknown name, hyper-parameter or class weight, or an empty list of values.

    Examples
    --------
    >>> spec = ModelSpec(grid={"k": (5, 10), "l1_ratio": (0.5,), "C": (1.0,)})
    >>> spec.points(n_features=8)
    [{'k': 5, 'l1_ratio': 0.5, 'C': 1.0}, {'k': 8, 'l1_ratio': 0.5, 'C': 1.0}]
    """

    name: str = "elastic_net"
    grid: Mapping[str, Sequence[Any]] | None = None
    class_weight: Literal["balanced"] | None = None
    preparation: Preparation = field(default_factory=Preparation)

    def __post_init__(self) -> None:
        if self.name not in FAMILIES:
            raise SettingsError(_wrong("model", f"one of: {', '.join(FAMILIES)}", self.name))
        if self.class_weight not in (None, "balanced"):
            raise SettingsError(_wrong("class_weight", "none or balanced", self.class_weight))
        own = {name: tuple(values) for name, values in (self.grid or {}).items()}
        known = self.family.grid
        for name, values in own.items():
            if name not in known:
                raise SettingsError(_wrong("grid", f"keys among: {', '.join(known)}", name))
            if not values:
                raise SettingsError(_wrong(f"grid.{name}", "at least one value", "an empty list"))
        object.__setattr__(self, "grid", {**known, **own})

    @property
    def family(self) -> ModelFamily:
        """The entry of :data:`FAMILIES`."""
        return FAMILIES[self.name]

    def points(self, n_features: int) -> list[GridPoint]:
        """Return every combination of the grid, once, in the order in which ties are broken.

        Parameters
        ----------
        n_features : int
            Features open to selection: a larger `k` means all of them.
        """
        values = dict(self.grid or {})
        if "k" in values:
            values["k"] = tuple(sorted({min(int(k), n_features) for k in values["k"]}))
        return [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]

    def as_dict(self) -> dict[str, Any]:
        """Return the specification as plain values, ready for JSON."""
        return {
            "name": self.name,
            "title": self.family.title,
            "grid": {name: list(values) for name, values in (self.grid or {}).items()},
            "class_weight": self.class_weight,
            "preparation": asdict(self.preparation),
        }


def build_pipeline(spec: ModelSpec, n_protected: int = 0) -> Pipeline:
    """Return the unfitted pipeline: impute, filter, select, scale, classify.

    Parameters
    ----------
    spec : ModelSpec
        Which model.
    n_protected : int, default 0
        The first columns, so many, are dropped by no filter and no selection (covariates).

    Returns
    -------
    Pipeline
        Steps `impute, near_constant, correlation, select, scale, model`.
    """
    preparation = spec.preparation
    steps = [
        # A feature without any value in the training rows becomes constant here and is dropped next.
        (
            "impute",
            SimpleImputer(
                strategy="median",
                keep_empty_features=True,
                add_indicator=preparation.missing_indicator,
            ),
        ),
        ("near_constant", NearConstantFilter(preparation.max_share, n_protected)),
        (
            "correlation",
            CorrelationFilter(preparation.correlation_threshold, preparation.correlation_method, n_protected),
        ),
        ("select", UnivariateSelector(n_protected=n_protected)),
        ("scale", StandardScaler()),
        ("model", spec.family.build(spec.class_weight)),
    ]
    return Pipeline(steps)


def pipeline_parameters(spec: ModelSpec, point: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a grid point into parameters of :func:`build_pipeline`'s pipeline."""
    return {spec.family.targets[name]: value for name, value in point.items()}


def _wrong(setting: str, expected: str, found: object) -> Problem:
    return Problem("RV602", expected, repr(found), f"model specification, {setting}", "correct it")
