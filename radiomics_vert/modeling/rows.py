"""What a preparation step may know about rows beside their features, and how it gets there.

A step says in its signature what it needs (`groups`, `sites`, ...), as scikit-learn's metadata routing
has it. Everything here is cut to the training rows before a step sees it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object


@dataclass(frozen=True)
class Rows:
    """Facts about rows, aligned with `X` and `y`.

    Parameters
    ----------
    groups : ndarray of str, shape (n,)
        The patient.
    sites : ndarray of str, shape (n,), optional
        Where the scan was made; needed by harmonisation.
    site_covariates : ndarray, shape (n, q), optional
        What harmonisation must not remove, as numbers; may hold NaN.
    repeats : ndarray, shape (n, m, p), optional
        The features measured `m` times more (other rater, perturbed mask); needed by the reliability
        filter. NaN where a vertebra was not measured again.
    """

    groups: NDArray[np.object_]
    sites: NDArray[np.object_] | None = None
    site_covariates: NDArray[np.float64] | None = None
    repeats: NDArray[np.float64] | None = None

    def take(self, rows: NDArray[np.intp]) -> Self:
        """Return the facts of some rows, in their order; a row may come twice."""
        return type(self)(
            self.groups[rows],
            None if self.sites is None else self.sites[rows],
            None if self.site_covariates is None else self.site_covariates[rows],
            None if self.repeats is None else self.repeats[rows],
        )

    def wanted_by(self, step: BaseEstimator, method: str) -> dict[str, Any]:
        """Return what a step or a whole pipeline asks for in one of its methods."""
        values = self._values()
        wanted = get_routing_for_object(step).consumes(method, list(values))
        return {name: values[name] for name in sorted(wanted)}

    def _values(self) -> dict[str, NDArray[Any] | None]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def fit_pipeline(pipeline: Pipeline, X: NDArray[np.float64], y: NDArray[np.int_], rows: Rows) -> Pipeline:
    """Fit a pipeline on training rows, giving each step what it asks for.

    Parameters
    ----------
    pipeline : Pipeline
        From :func:`~radiomics_vert.modeling.models.build_pipeline`; it is fitted in place.
    X : ndarray, shape (n, p)
        Training rows.
    y : ndarray of int, shape (n,)
        Their outcome.
    rows : Rows
        Facts about the training rows.

    Returns
    -------
    Pipeline
        The same object.
    """
    with config_context(enable_metadata_routing=True):
        return pipeline.fit(X, y, **rows.wanted_by(pipeline, "fit"))


def predict_pipeline(pipeline: Pipeline, X: NDArray[np.float64], rows: Rows) -> NDArray[np.float64]:
    """Return the probability of the positive class from a fitted pipeline.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.
    X : ndarray, shape (n, p)
        Rows to predict.
    rows : Rows
        Facts about them.

    Returns
    -------
    ndarray, shape (n,)
    """
    with config_context(enable_metadata_routing=True):
        probability = pipeline.predict_proba(X, **rows.wanted_by(pipeline, "predict_proba"))
    return np.asarray(probability[:, 1], dtype=np.float64)
