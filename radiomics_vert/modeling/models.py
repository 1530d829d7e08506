"""Which model: its specification, its hyper-parameter grid, and the one pipeline that it becomes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from radiomics_vert.errors import Problem, SettingsError
from radiomics_vert.modeling.baselines import PublishedProbability, TakigawaLogit
from radiomics_vert.modeling.classifiers import CalibratedSVC, PatientOversampler
from radiomics_vert.modeling.elastic_net import ElasticNetLogistic
from radiomics_vert.modeling.harmonisation import SiteHarmoniser, UnseenSite
from radiomics_vert.modeling.preparation import (
    CorrelationFilter,
    CorrelationMethod,
    NearConstantFilter,
    ReliabilityFilter,
)
from radiomics_vert.modeling.selection import SELECTORS, SelectionMethod

ClassWeight = Literal["balanced"] | None

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
    selection : {"univariate", "mrmr", "stability", "l1"}, default "univariate"
        How features are ranked, see :mod:`radiomics_vert.modeling.selection`.
    min_icc : float, optional
        Drop features whose ICC(2,1) between repeated measurements of the training rows is smaller;
        needs `repeats` in :func:`~radiomics_vert.modeling.validation.cross_validate`.
    harmonise : {None, "combat"}, default None
        ComBat between sites, see :class:`~radiomics_vert.modeling.harmonisation.SiteHarmoniser`.
    harmonise_covariates : tuple of str, default ()
        Covariates whose differences ComBat must not remove; never the outcome.
    unseen_site : {"reference", "refuse"}, default "reference"
        What happens to rows of a site that the training rows do not know.
    """

    max_share: float = 0.95
    correlation_threshold: float = 0.9
    correlation_method: CorrelationMethod = "spearman"
    missing_indicator: bool = False
    selection: SelectionMethod = "univariate"
    min_icc: float | None = None
    harmonise: Literal["combat"] | None = None
    harmonise_covariates: tuple[str, ...] = ()
    unseen_site: UnseenSite = "reference"

    def __post_init__(self) -> None:
        object.__setattr__(self, "harmonise_covariates", tuple(self.harmonise_covariates))
        for name, allowed in (
            ("correlation_method", ("spearman", "pearson")),
            ("selection", tuple(SELECTORS)),
            ("harmonise", (None, "combat")),
            ("unseen_site", ("reference", "refuse")),
        ):
            if getattr(self, name) not in allowed:
                choices = ", ".join("none" if value is None else value for value in allowed)
                raise SettingsError(_wrong(name, f"one of: {choices}", getattr(self, name)))
        for name in ("max_share", "correlation_threshold", "min_icc"):
            value = getattr(self, name)
            if not (value is None and name == "min_icc") and not 0 < value <= 1:
                raise SettingsError(_wrong(name, "a number above 0, at most 1", value))

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, ready for JSON."""
        return {**asdict(self), "harmonise_covariates": list(self.harmonise_covariates)}


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
    fixed : bool, default False
        A published rule that takes its columns as they are: no preparation, nothing learned.
    """

    title: str
    build: Callable[[ClassWeight], ClassifierMixin]
    grid: Mapping[str, tuple[Any, ...]]
    targets: Mapping[str, str]
    fixed: bool = False


def _elastic_net(class_weight: ClassWeight) -> ElasticNetLogistic:
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


def _linear_svm(class_weight: ClassWeight) -> CalibratedSVC:
    return CalibratedSVC("linear", class_weight=class_weight)


def _rbf_svm(class_weight: ClassWeight) -> CalibratedSVC:
    return CalibratedSVC("rbf", class_weight=class_weight)


def _random_forest(class_weight: ClassWeight) -> RandomForestClassifier:
    return RandomForestClassifier(n_estimators=200, class_weight=class_weight, random_state=0, n_jobs=1)


def _boosting(class_weight: ClassWeight) -> HistGradientBoostingClassifier:
    # Small trees and a slow rate, because studies have hundreds of rows. Early stopping would hold out
    # single vertebrae.
    return HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_leaf_nodes=6,
        min_samples_leaf=10,
        l2_regularization=1.0,
        early_stopping=False,
        class_weight=class_weight,
        random_state=0,
    )


def _single_feature(class_weight: ClassWeight) -> LogisticRegression:
    # A trace of a ridge penalty keeps the coefficient finite where one feature separates the classes.
    return LogisticRegression(C=100.0, class_weight=class_weight)


def _takigawa(class_weight: ClassWeight) -> TakigawaLogit:
    return TakigawaLogit()


def _published(class_weight: ClassWeight) -> PublishedProbability:
    return PublishedProbability()


def _family(
    title: str,
    build: Callable[[ClassWeight], ClassifierMixin],
    fixed: bool = False,
    **grid: tuple[Any, ...],
) -> ModelFamily:
    targets = {name: "select__k" if name == "k" else f"model__{name}" for name in grid}
    return ModelFamily(title, build, MappingProxyType(grid), MappingProxyType(targets), fixed)


FAMILIES: Mapping[str, ModelFamily] = MappingProxyType(
    {
        "elastic_net": _family(
            "Elastic-net logistic regression",
            _elastic_net,
            k=(5, 10, 20),
            l1_ratio=(0.1, 0.5, 0.9),
            C=(0.02, 0.1, 0.5, 2.0),
        ),
        "linear_svm": _family(
            "Linear support vector machine, calibrated", _linear_svm, k=(5, 20), C=(0.01, 0.1, 1.0)
        ),
        "rbf_svm": _family(
            "Support vector machine with RBF kernel, calibrated",
            _rbf_svm,
            k=(5, 20),
            C=(0.5, 5.0),
            gamma=(0.01, 0.05),
        ),
        # The size of the leaves hardly matters and a forest takes longer than all others together.
        "random_forest": _family("Random forest", _random_forest, k=(20, 100), min_samples_leaf=(5,)),
        "hist_gradient_boosting": _family(
            "Histogram gradient boosting", _boosting, k=(20, 100), max_iter=(40, 120)
        ),
        "single_feature": _family("Best single feature of the training rows", _single_feature, k=(1,)),
        "takigawa": _family("Takigawa 2017, four signs", _takigawa, fixed=True),
        "published": _family("Published probability, from measured signs", _published, fixed=True),
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
    resampling : {None, "oversample"}, default None
        `oversample` repeats patients of the rarer class in the training rows of each fold instead, see
        :class:`~radiomics_vert.modeling.classifiers.PatientOversampler`.
    preparation : Preparation
        What happens to the features before.

    Raises
    ------
    SettingsError
        RV602 for an unknown name, hyper-parameter, class weight or resampling, both of the latter at
        once, or an empty list of values.

    Examples
    --------
    >>> spec = ModelSpec(grid={"k": (5, 10), "l1_ratio": (0.5,), "C": (1.0,)})
    >>> spec.points(n_features=8)
    [{'k': 5, 'l1_ratio': 0.5, 'C': 1.0}, {'k': 8, 'l1_ratio': 0.5, 'C': 1.0}]
    """

    name: str = "elastic_net"
    grid: Mapping[str, Sequence[Any]] | None = None
    class_weight: ClassWeight = None
    preparation: Preparation = field(default_factory=Preparation)
    resampling: Literal["oversample"] | None = None

    def __post_init__(self) -> None:
        if self.name not in FAMILIES:
            raise SettingsError(_wrong("model", f"one of: {', '.join(FAMILIES)}", self.name))
        if self.class_weight not in (None, "balanced"):
            raise SettingsError(_wrong("class_weight", "none or balanced", self.class_weight))
        if self.resampling not in (None, "oversample"):
            raise SettingsError(_wrong("resampling", "none or oversample", self.resampling))
        if self.resampling and self.class_weight:
            raise SettingsError(_wrong("resampling", "none beside a class weight", self.resampling))
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
            "resampling": self.resampling,
            "preparation": self.preparation.as_dict(),
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
        Steps `[reliability,] impute, near_constant, [harmonise,] correlation, select, scale, model`;
        a published rule has the step `model` only. Where a step needs to know patients, sites or
        repeated measurements, fit with :func:`~radiomics_vert.modeling.rows.fit_pipeline`.
    """
    classifier = spec.family.build(spec.class_weight)
    if spec.family.fixed:
        return Pipeline([("model", classifier)])
    if spec.resampling:
        classifier = PatientOversampler(classifier)
    return Pipeline([*_preparation_steps(spec.preparation, n_protected), ("model", classifier)])


def _preparation_steps(preparation: Preparation, n_protected: int) -> list[tuple[str, BaseEstimator]]:
    steps: list[tuple[str, BaseEstimator]] = []
    if preparation.min_icc is not None:
        steps.append(("reliability", ReliabilityFilter(preparation.min_icc, n_protected)))
    # A feature without any value in the training rows becomes constant here and is dropped next.
    impute = SimpleImputer(
        strategy="median", keep_empty_features=True, add_indicator=preparation.missing_indicator
    )
    steps += [("impute", impute), ("near_constant", NearConstantFilter(preparation.max_share, n_protected))]
    if preparation.harmonise is not None:
        steps.append(("harmonise", SiteHarmoniser(preparation.unseen_site, n_protected)))
    correlation = CorrelationFilter(
        preparation.correlation_threshold, preparation.correlation_method, n_protected
    )
    return [
        *steps,
        ("correlation", correlation),
        ("select", SELECTORS[preparation.selection](n_protected=n_protected)),
        ("scale", StandardScaler()),
    ]


def pipeline_parameters(spec: ModelSpec, point: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a grid point into parameters of :func:`build_pipeline`'s pipeline."""
    parameters = {spec.family.targets[name]: value for name, value in point.items()}
    if not spec.resampling:
        return parameters
    return {name.replace("model__", "model__estimator__"): value for name, value in parameters.items()}


def _wrong(setting: str, expected: str, found: object) -> Problem:
    return Problem("RV602", expected, repr(found), f"model specification, {setting}", "correct it")
