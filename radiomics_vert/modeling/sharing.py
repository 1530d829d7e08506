"""Fitting many models and grid points on the same rows without repeating what they share."""

from __future__ import annotations

import copy
import time
import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from radiomics_vert.modeling.rows import Rows
from radiomics_vert.modeling.splits import IndexArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int_]
_FittedSteps = tuple[tuple[str, BaseEstimator], ...]
PREPARATION = "preparation"
"""Under this name the :class:`Ledger` notes everything before the models."""


@dataclass(frozen=True)
class TrainTest:
    """Rows to fit on and rows to predict.

    Parameters
    ----------
    X_train : ndarray, shape (n, p)
        Rows to fit on.
    y_train : ndarray of int, shape (n,)
        Their outcome.
    X_test : ndarray, shape (m, p)
        Rows to predict.
    train, test : Rows, optional
        Facts about them, for steps that ask for them.
    """

    X_train: FloatArray
    y_train: IntArray
    X_test: FloatArray
    train: Rows | None = None
    test: Rows | None = None

    @classmethod
    def of(cls, X: FloatArray, y: IntArray, rows: Rows | None, train: IndexArray, test: IndexArray) -> Self:
        """Cut rows by position."""
        if rows is None:
            return cls(X[train], y[train], X[test])
        return cls(X[train], y[train], X[test], rows.take(train), rows.take(test))


@dataclass
class Ledger:
    """What a fold took: seconds, and fits that did not converge, by stage.

    Parameters
    ----------
    seconds : Counter
        Per stage: :data:`PREPARATION`, and the number of each model in its list.
    unconverged : Counter
        Per stage, fits that reached the limit of iterations.
    """

    seconds: Counter[str] = field(default_factory=Counter)
    unconverged: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Note the time of a block and its convergence warnings; other warnings pass."""
        started = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            yield
        self.seconds[name] += time.perf_counter() - started  # type: ignore[assignment]
        for warning in caught:
            if issubclass(warning.category, ConvergenceWarning):
                self.unconverged[name] += 1
            else:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


@dataclass(frozen=True)
class Candidate:
    """One grid point of one model.

    Parameters
    ----------
    model, point : int
        Number of the model in its list, and of the point in its grid.
    steps : tuple of (name, estimator, parameters)
        The unfitted steps with their parameters at this point.
    keys : tuple of str
        Per step before the last, what decides its fit: equal keys, equal fits on equal rows.
    """

    model: int
    point: int
    steps: tuple[tuple[str, BaseEstimator, dict[str, Any]], ...]
    keys: tuple[str, ...]

    @classmethod
    def of(cls, model: int, point: int, pipeline: Pipeline, parameters: Mapping[str, Any]) -> Self:
        """Split pipeline parameters (`select__k`) by step."""
        steps = tuple((name, step, _own(name, parameters)) for name, step in pipeline.steps)
        return cls(model, point, steps, tuple(_fit_key(step, own) for _, step, own in steps[:-1]))


def fit_candidates(
    candidates: Sequence[Candidate], parts: TrainTest, ledger: Ledger
) -> Iterator[tuple[Candidate, Pipeline, FloatArray]]:
    """Fit every candidate on the training rows and predict the test rows.

    The candidates are walked as a tree along their steps: those that agree in their first steps share
    the fitted steps, across models too. The last step is refitted in place from point to point of a
    model, so that an estimator with `warm_start` starts from its neighbour on the grid.

    Parameters
    ----------
    candidates : sequence of Candidate
        Points of one or several models.
    parts : TrainTest
        The rows.
    ledger : Ledger
        Where time and failed convergence are noted.

    Yields
    ------
    candidate : Candidate
    fitted : Pipeline
        Its fitted pipeline, good until the next one is asked for.
    probability : ndarray, shape (test rows,)
        Of the positive class.
    """
    yield from _walk(candidates, (), parts, ledger)


def _walk(
    candidates: Sequence[Candidate], fitted: _FittedSteps, parts: TrainTest, ledger: Ledger
) -> Iterator[tuple[Candidate, Pipeline, FloatArray]]:
    depth = len(fitted)
    yield from _fit_models([one for one in candidates if len(one.keys) == depth], fitted, parts, ledger)
    deeper = [one for one in candidates if len(one.keys) > depth]
    for members in _grouped(deeper, lambda one: one.keys[depth]):
        name, step, own = members[0].steps[depth]
        with ledger.stage(PREPARATION):
            learned = clone(step).set_params(**own)
            learned.fit(parts.X_train, parts.y_train, **_wanted(parts.train, learned, "fit"))
        for alike in _grouped(members, lambda one: repr(one.steps[depth][2])):
            with ledger.stage(PREPARATION):
                # A shallow copy: what was learned is shared, what only matters after `fit` differs.
                used = copy.copy(learned).set_params(**alike[0].steps[depth][2])
                prepared = _transformed(used, parts)
            yield from _walk(alike, (*fitted, (name, used)), prepared, ledger)


def _fit_models(
    candidates: Sequence[Candidate], fitted: _FittedSteps, parts: TrainTest, ledger: Ledger
) -> Iterator[tuple[Candidate, Pipeline, FloatArray]]:
    # Otherwise the estimators would copy the rows into this order again at every point.
    train, test = np.ascontiguousarray(parts.X_train), np.ascontiguousarray(parts.X_test)
    for members in _grouped(candidates, lambda one: one.model):
        name, step, _ = members[0].steps[-1]
        estimator = clone(step)
        for one in members:
            with ledger.stage(str(one.model)):
                estimator.set_params(**one.steps[-1][2])
                estimator.fit(train, parts.y_train, **_wanted(parts.train, estimator, "fit"))
                probability = np.asarray(estimator.predict_proba(test)[:, 1], dtype=np.float64)
            yield one, Pipeline([*fitted, (name, estimator)]), probability


def _transformed(step: BaseEstimator, parts: TrainTest) -> TrainTest:
    return replace(
        parts,
        X_train=step.transform(parts.X_train, **_wanted(parts.train, step, "transform")),
        X_test=step.transform(parts.X_test, **_wanted(parts.test, step, "transform")),
    )


def _wanted(rows: Rows | None, step: BaseEstimator, method: str) -> dict[str, Any]:
    return {} if rows is None else rows.wanted_by(step, method)


def _own(step: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    prefix = f"{step}__"
    return {key.removeprefix(prefix): value for key, value in parameters.items() if key.startswith(prefix)}


def _fit_key(step: BaseEstimator, own: Mapping[str, Any]) -> str:
    parameters = {**step.get_params(), **own}
    for name in getattr(step, "unused_in_fit", ()):
        parameters.pop(name)
    return f"{type(step).__qualname__}{sorted(parameters.items())!r}"


def _grouped(candidates: Iterable[Candidate], key: Callable[[Candidate], Hashable]) -> list[list[Candidate]]:
    """Group candidates by a key, in order of first appearance."""
    found: dict[Hashable, list[Candidate]] = {}
    for one in candidates:
        found.setdefault(key(one), []).append(one)
    return list(found.values())
