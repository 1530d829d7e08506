"""What a final model is: its inputs, the people it was developed on, and its settings, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from radiomics_vert.dataset import parse_feature
from radiomics_vert.modeling.overlap import patient_key, salted

UNKNOWN_UNIT = "not known"
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
            return floats(column)[:, None]
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
        number = floats(column)
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


def floats(column: pd.Series[Any]) -> NDArray[np.float64]:
    """Return a column as numbers; what is absent is nan."""
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
