"""The model that leaves the building: chosen and fitted once on all development rows, then locked."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from radiomics_vert.dataset import Dataset, parse_feature
from radiomics_vert.modeling.design import make_design
from radiomics_vert.modeling.folds import Plan
from radiomics_vert.modeling.models import ModelSpec, build_pipeline, pipeline_parameters
from radiomics_vert.modeling.overlap import patient_key, row_fingerprints, salted, telling_fingerprints
from radiomics_vert.modeling.repeats import Repeats
from radiomics_vert.modeling.rows import fit_pipeline
from radiomics_vert.modeling.sharing import Ledger
from radiomics_vert.modeling.spec import ValidationSpec
from radiomics_vert.modeling.splits import grouped_folds
from radiomics_vert.modeling.tuning import Contender, choose_points, choose_threshold
from radiomics_vert.provenance import versions
from radiomics_vert.storage import digest

logger = logging.getLogger("radiomics_vert.modeling")

UNKNOWN_UNIT = "not known"
_INDICATOR = "missingindicator_"
_SHAPE_UNITS = {
    "mm": (
        "Maximum3DDiameter",
        "Maximum2DDiameterSlice",
        "Maximum2DDiameterColumn",
        "Maximum2DDiameterRow",
        "MaximumDiameter",
        "MajorAxisLength",
        "MinorAxisLength",
        "LeastAxisLength",
        "Perimeter",
    ),
    "mm2": ("SurfaceArea", "MeshSurface", "PixelSurface"),
    "mm3": ("MeshVolume", "VoxelVolume"),
    "1/mm": ("SurfaceVolumeRatio", "PerimeterSurfaceRatio"),
}
_NO_UNIT = ("Skewness", "Kurtosis", "Entropy", "Uniformity")
_SQUARED = ("Energy", "Variance")


def feature_unit(name: str, sequence: str = "") -> str:
    """Return the unit of a feature, from its name.

    Parameters
    ----------
    name : str
        As in a dataset, with or without a sequence before `__`.
    sequence : str, optional
        The sequence of a name that holds none.

    Returns
    -------
    str
        `mm`, `mm2`, `mm3`, `1/mm`, `HU` (unfiltered CT), `grey value`, powers of these, `none`, or
        `not known` for a name that is not pyradiomics'.

    Examples
    --------
    >>> feature_unit("CT__original_firstorder_Mean"), feature_unit("original_shape_MeshVolume")
    ('HU', 'mm3')
    >>> feature_unit("wavelet-LLH_firstorder_Energy"), feature_unit("original_glcm_Contrast")
    ('grey value^2', 'none')
    """
    parts = parse_feature(name)
    if not parts.feature_class:
        return UNKNOWN_UNIT
    if parts.feature_class.startswith("shape"):
        return next((unit for unit, names in _SHAPE_UNITS.items() if parts.feature in names), "none")
    if parts.feature_class != "firstorder" or parts.feature in _NO_UNIT:
        return "none"
    on_ct = (parts.sequence or sequence).upper() == "CT" and parts.filter == "original"
    intensity = "HU" if on_ct else "grey value"
    if parts.feature == "TotalEnergy":
        return f"mm3 {intensity}^2"
    return f"{intensity}^2" if parts.feature in _SQUARED else intensity


@dataclass(frozen=True)
class Input:
    """One column that the model reads, and what it held in the development data.

    Parameters
    ----------
    name : str
        Column of the table.
    unit : str
        See :func:`feature_unit`.
    used : bool
        Whether it reaches the classifier; the others are taken out by filters or selection.
    values : tuple of str
        Of a covariate of text the values that the development data hold, the reference first; empty
        for a number.
    low, p01, p99, high : float or None
        Least value, 1st and 99th percentile, largest value; None for text or without any value.
    missing : float
        Share of development rows without a value.
    covariate : bool
        Whether it is a covariate, not a feature of the vertebra.
    """

    name: str
    unit: str
    used: bool
    values: tuple[str, ...]
    low: float | None
    p01: float | None
    p99: float | None
    high: float | None
    missing: float
    covariate: bool = False

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Make an input of what `asdict` gave."""
        return cls(**{**plain, "values": tuple(plain["values"])})

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the pipeline that it becomes."""
        return tuple(f"{self.name}={value}" for value in self.values[1:]) or (self.name,)

    def encode(self, column: pd.Series[Any]) -> NDArray[np.float64]:
        """Return the columns of the pipeline, shape (n, columns); unknown text is missing."""
        if not self.values:
            return _floats(column)[:, None]
        text = column.astype("string").fillna("").to_numpy(dtype=object)
        coded = np.asarray(text[:, None] == np.array(self.values[1:], dtype=object), dtype=np.float64)
        coded[~np.isin(text, self.values)] = np.nan
        return coded

    def out_of_range(self, column: pd.Series[Any]) -> NDArray[np.bool_]:
        """Return where a value is there, but outside what the development data held."""
        if self.values:
            return (column.notna() & ~column.astype("string").isin(self.values)).to_numpy(dtype=bool)
        if self.low is None or self.high is None:
            return column.notna().to_numpy()
        number = _floats(column)
        return np.asarray((number < self.low) | (number > self.high))


@dataclass(frozen=True)
class Harmonisation:
    """What a harmonised model asks about the site of a row, and what it does with a new site.

    Parameters
    ----------
    sites : tuple of str
        Sites whose location and scale were learned.
    unseen : str
        Rule for any other site: `reference` leaves its features as they are, `refuse` is an error.
    covariates : tuple of Input
        Columns whose differences harmonisation keeps.
    """

    sites: tuple[str, ...]
    unseen: str
    covariates: tuple[Input, ...]

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Make one of what `asdict` gave."""
        covariates = tuple(Input.from_dict(one) for one in plain["covariates"])
        return cls(tuple(plain["sites"]), plain["unseen"], covariates)


@dataclass(frozen=True)
class Development:
    """What a model was made from, without a value or an id of any patient.

    Parameters
    ----------
    n, n_subjects : int
        Vertebrae and patients.
    prevalence : float
        Share of positive vertebrae.
    outcome, positive, negative : str
        Outcome and its classes.
    parameters : mapping of str to tuple of str
        Digests of the extraction parameters, per sequence; empty where the dataset does not tell.
    data : str
        sha256 of rows, columns, values, outcome and patients.
    salt : str
        Put before ids and image digests when they are hashed.
    patients, images : tuple of str
        Salted sha256 of patient ids and of image digests, sorted. They tell whether a given patient
        took part; who knows the scheme of the ids can try them all, so a bundle is no anonymous list.
    spellings : tuple of str
        The same for the ids exactly as they were written.
    vertebrae : tuple of str
        Salted fingerprints of the vertebrae by their features, see
        :func:`~radiomics_vert.modeling.overlap.row_fingerprints`.
    """

    n: int
    n_subjects: int
    prevalence: float
    outcome: str
    positive: str
    negative: str
    parameters: Mapping[str, tuple[str, ...]]
    data: str
    salt: str
    patients: tuple[str, ...]
    images: tuple[str, ...]
    spellings: tuple[str, ...]
    vertebrae: tuple[str, ...]

    def known_patients(self, ids: Iterable[str]) -> list[str]:
        """Return those of some patient ids that took part (case and outer spaces aside), sorted."""
        known = set(self.patients)
        return sorted({one for one in ids if salted(self.salt, patient_key(one)) in known})

    def known_images(self, digests: Iterable[str]) -> list[str]:
        """Return those of some image digests that took part, sorted."""
        known = set(self.images)
        return sorted({one for one in digests if salted(self.salt, one) in known})

    def spelled_otherwise(self, ids: Iterable[str]) -> list[str]:
        """Return those of some known ids that were written in another way, sorted."""
        known = set(self.spellings)
        return sorted({one for one in ids if salted(self.salt, str(one)) not in known})

    def known_vertebrae(self, fingerprints: Iterable[tuple[str, ...]]) -> list[bool]:
        """Tell for the fingerprints of each vertebra whether half of them or more took part."""
        known = set(self.vertebrae)
        matches = ([salted(self.salt, one) in known for one in own] for own in fingerprints)
        return [bool(own) and 2 * sum(own) >= len(own) for own in matches]


@dataclass(frozen=True)
class FittedModel:
    """A locked model: pipeline, inputs, threshold, and what it was made from. Nothing refits it.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted; takes the columns of all inputs, in their order.
    inputs : tuple of Input
        Covariates, then features.
    threshold : float
        A vertebra with this probability or more is called positive.
    point : mapping
        Chosen hyper-parameters.
    model, validation : mapping
        The specifications as plain values.
    development : Development
        What it was made from.
    versions : mapping
        Packages at the time of the fit.
    bundle : str
        Digest of the bundle that it was loaded from; empty for a model that was just fitted.
    harmonisation : Harmonisation or None
        What the model asks about the site of a row; None for a model that was not harmonised.
    """

    pipeline: Pipeline
    inputs: tuple[Input, ...]
    threshold: float
    point: Mapping[str, Any]
    model: Mapping[str, Any]
    validation: Mapping[str, Any]
    development: Development
    versions: Mapping[str, str]
    bundle: str = ""
    harmonisation: Harmonisation | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the pipeline takes."""
        return tuple(column for one in self.inputs for column in one.columns)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the inputs, in order."""
        return tuple(one.name for one in self.inputs)

    @property
    def used(self) -> tuple[str, ...]:
        """Names of the inputs that reach the classifier, in order."""
        return tuple(one.name for one in self.inputs if one.used)

    @property
    def measured(self) -> tuple[str, ...]:
        """Names of the inputs that were measured on the vertebra: all but the covariates."""
        return tuple(one.name for one in self.inputs if not one.covariate)

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the pipeline as plain values, ready for JSON."""
        return {
            "inputs": [asdict(one) for one in self.inputs],
            "threshold": self.threshold,
            "point": dict(self.point),
            "model": dict(self.model),
            "validation": dict(self.validation),
            "development": {**asdict(self.development), "parameters": dict(self.development.parameters)},
            "versions": dict(self.versions),
            "harmonisation": asdict(self.harmonisation) if self.harmonisation else None,
        }

    @classmethod
    def from_dict(cls, pipeline: Pipeline, values: Mapping[str, Any], bundle: str = "") -> Self:
        """Put a pipeline and what :meth:`as_dict` gave together again."""
        development = dict(values["development"])
        for name in ("patients", "images", "spellings", "vertebrae"):
            development[name] = tuple(development[name])
        development["parameters"] = {key: tuple(own) for key, own in development["parameters"].items()}
        inputs = tuple(Input.from_dict(one) for one in values["inputs"])
        own = values["harmonisation"]
        harmonisation = Harmonisation.from_dict(own) if own else None
        plain = {name: values[name] for name in ("threshold", "point", "model", "validation", "versions")}
        made = Development(**development)
        return cls(pipeline, inputs, development=made, bundle=bundle, harmonisation=harmonisation, **plain)


def fit_final(
    dataset: Dataset,
    model: ModelSpec | None = None,
    validation: ValidationSpec | None = None,
    *,
    features: Sequence[str] | None = None,
    with_covariates: bool = False,
    repeats: Repeats | None = None,
) -> FittedModel:
    """Choose and fit the model on all rows, once, after it was validated.

    Hyper-parameters and threshold come from grouped folds of all rows (the inner folds of the
    validation), then the pipeline is fitted on all rows. How well the result fits these rows is never
    reported: that number is too good. What is known about its performance is the result of
    :func:`~radiomics_vert.modeling.validation.cross_validate` with the same arguments, and of
    :func:`~radiomics_vert.modeling.external.validate_external`.

    Parameters
    ----------
    dataset : Dataset
        The development data.
    model, validation : ModelSpec, ValidationSpec, optional
        As they were validated; of the validation the inner folds, the scoring, the threshold rule and
        the seed are used.
    features, with_covariates, repeats
        As in :func:`~radiomics_vert.modeling.validation.cross_validate`.

    Returns
    -------
    FittedModel

    Raises
    ------
    AnalysisError
        As in :func:`~radiomics_vert.modeling.validation.cross_validate`.
    """
    spec, rules = model or ModelSpec(), validation or ValidationSpec()
    # One cheap repeat: of the design only the checked rows are needed, none is left out or held back.
    layout = replace(rules, scheme="repeated_kfold", outer_folds=2, repeats=1)
    plan = make_design(
        dataset, [spec], layout, features=features, with_covariates=with_covariates, repeats=repeats
    ).plans[0]
    pipeline, point, threshold = _choose_and_fit(plan, rules)
    return FittedModel(
        pipeline,
        _inputs(dataset, plan, pipeline),
        threshold,
        point,
        spec.as_dict(),
        rules.as_dict(),
        _development(dataset, plan),
        versions(),
        harmonisation=_harmonisation(dataset, spec, pipeline),
    )


def dataset_parameters(dataset: Dataset, features: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the digests of the extraction parameters behind some features, per sequence.

    Parameters
    ----------
    dataset : Dataset
        Whose provenance tells how the features were measured.
    features : iterable of str
        Names; where they hold a sequence, only sequences that occur are returned.

    Returns
    -------
    dict of str to tuple of str
        Empty for a table that was made elsewhere.
    """
    found: dict[str, set[str]] = {}
    for table in dataset.provenance.reproducible.get("features", ()):
        for sequence, used in table.get("parameters", {}).items():
            found.setdefault(str(sequence), set()).add(str(used["digest"]))
    named = {parse_feature(name).sequence for name in features} - {""}
    return {key: tuple(sorted(own)) for key, own in sorted(found.items()) if not named or key in named}


def dataset_images(dataset: Dataset) -> tuple[str, ...]:
    """Return the digests of the images behind a dataset: `images` in its provenance, if it is there."""
    return tuple(sorted({str(one) for one in dataset.provenance.reproducible.get("images", ())}))


def _floats(column: pd.Series[Any]) -> NDArray[np.float64]:
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))


def _choose_and_fit(plan: Plan, rules: ValidationSpec) -> tuple[Pipeline, dict[str, Any], float]:
    # Repeat 0 does not occur in a validation: these folds are shuffles of their own.
    splits = grouped_folds(
        plan.y, plan.groups, rules.inner_folds, (rules.seed, 0, 0), where="folds of the final model"
    )
    points = plan.model.points(n_features=plan.X.shape[1] - plan.n_covariates)
    contender = Contender(plan.model, build_pipeline(plan.model, plan.n_covariates), points)
    ledger = Ledger()
    with threadpool_limits(limits=1), config_context(assume_finite=True):
        choice = choose_points([contender], plan.X, plan.y, splits, rules.scoring, plan.rows, ledger)[0]
        pipeline = build_pipeline(plan.model, plan.n_covariates)
        pipeline.set_params(**pipeline_parameters(plan.model, choice.point))
        with ledger.stage("final"):
            fit_pipeline(pipeline, plan.X, plan.y, plan.rows)
    if ledger.unconverged["final"]:
        logger.warning("RV504 the final model reached the limit of iterations")
    threshold = choose_threshold(plan.y, choice.probabilities, rules.threshold, rules.target_sensitivity)
    return pipeline, choice.point, threshold


def _inputs(dataset: Dataset, plan: Plan, pipeline: Pipeline) -> tuple[Input, ...]:
    reached = _reaching(pipeline, plan.columns)
    sequences = list(dataset_parameters(dataset, plan.columns))
    sequence = sequences[0] if len(sequences) == 1 else ""
    table = pd.DataFrame(plan.X, columns=list(plan.columns))
    covariates = [_covariate(dataset, name, plan, reached) for name in dataset.covariates.columns]
    numbers = [
        _number(name, feature_unit(name, sequence), name in reached, table[name])
        for name in plan.columns[plan.n_covariates :]
    ]
    return tuple([one for one in covariates if one is not None] + numbers)


def _covariate(dataset: Dataset, name: str, plan: Plan, reached: frozenset[str]) -> Input | None:
    """Describe a covariate; None where it gave no column (not asked for, or one value only)."""
    own = plan.columns[: plan.n_covariates]
    column = dataset.covariates[name]
    if name in own:
        return replace(_number(name, UNKNOWN_UNIT, name in reached, column.astype("float64")), covariate=True)
    values = tuple(sorted(column.dropna().astype("string").unique()))
    columns = [f"{name}={value}" for value in values[1:]]
    if not columns or not set(columns) <= set(own):
        return None
    used = bool(reached & set(columns))
    missing = float(column.isna().mean())
    return Input(str(name), "none", used, tuple(map(str, values)), None, None, None, None, missing, True)


def _number(name: str, unit: str, used: bool, column: pd.Series[float]) -> Input:
    values = column.to_numpy(dtype=np.float64)
    present = values[~np.isnan(values)]
    if len(present) == 0:
        return Input(str(name), unit, used, (), None, None, None, None, 1.0)
    p01, p99 = np.percentile(present, [1, 99])
    missing = 1 - len(present) / len(values)
    return Input(
        str(name), unit, used, (), float(present.min()), float(p01), float(p99), float(present.max()), missing
    )


def _harmonisation(dataset: Dataset, spec: ModelSpec, pipeline: Pipeline) -> Harmonisation | None:
    preparation = spec.preparation
    if preparation.harmonise is None:
        return None
    covariates = tuple(
        one
        for name in preparation.harmonise_covariates
        if (one := _kept(dataset.covariates[name])) is not None
    )
    return Harmonisation(pipeline["harmonise"].sites_, preparation.unseen_site, covariates)


def _kept(column: pd.Series[Any]) -> Input | None:
    """Describe a covariate of harmonisation; None where it gives no column (text with one value)."""
    name = str(column.name)
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        return replace(_number(name, UNKNOWN_UNIT, True, column.astype("float64")), covariate=True)
    values = tuple(map(str, sorted(column.dropna().astype("string").unique())))
    if len(values) < 2:
        return None
    missing = float(column.isna().mean())
    return Input(name, "none", True, values, None, None, None, None, missing, True)


def _reaching(pipeline: Pipeline, columns: tuple[str, ...]) -> frozenset[str]:
    """Return the columns that reach the classifier, themselves or as a flag that they are missing."""
    if len(pipeline) == 1:
        return frozenset(columns)
    names = [str(name) for name in pipeline[:-1].get_feature_names_out(list(columns))]
    return frozenset(name if name in columns else name.removeprefix(_INDICATOR) for name in names)


def _development(dataset: Dataset, plan: Plan) -> Development:
    content = {
        "units": plan.units,
        "columns": plan.columns,
        "values": hashlib.sha256(np.ascontiguousarray(plan.X).tobytes()).hexdigest(),
        "outcome": plan.y.tolist(),
        "patients": plan.groups.tolist(),
    }
    data = digest(content)
    # From the data itself, so that equal data give equal bundles and nobody else can know it before.
    salt = digest({"salt of": data})
    # Groups may be coarser than patients (a family, a shared scanner); either name counts as known.
    names = {str(one) for one in (*plan.groups, *dataset.info.get("subject_id", pd.Series(dtype=str)))}
    features = list(plan.columns[plan.n_covariates :])
    table = pd.DataFrame(plan.X[:, plan.n_covariates :], columns=features)
    vertebrae = telling_fingerprints(row_fingerprints(table, features), plan.groups)
    return Development(
        n=len(plan.y),
        n_subjects=len(np.unique(plan.groups)),
        prevalence=float(plan.y.mean()),
        outcome=dataset.outcome,
        positive=dataset.positive,
        negative=dataset.negative,
        parameters=dataset_parameters(dataset, plan.columns),
        data=data,
        salt=salt,
        patients=tuple(sorted({salted(salt, patient_key(one)) for one in names})),
        images=tuple(sorted(salted(salt, one) for one in dataset_images(dataset))),
        spellings=tuple(sorted(salted(salt, one) for one in names)),
        vertebrae=tuple(sorted(salted(salt, one) for one in vertebrae)),
    )
