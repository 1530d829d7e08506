"""What the assessments of a whole pipeline share: its plan, its honest AUC, its seeds and retries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.errors import AnalysisError
from radiomics_vert.modeling.design import make_design
from radiomics_vert.modeling.folds import FoldTask, Plan, run_fold
from radiomics_vert.modeling.models import ModelSpec
from radiomics_vert.modeling.repeats import Repeats
from radiomics_vert.modeling.spec import ValidationSpec
from radiomics_vert.provenance import Provenance, versions

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int_]
Value = TypeVar("Value")

MAX_ATTEMPTS = 20


@dataclass(frozen=True)
class Discrimination:
    """AUC of a whole cross-validation, in two ways; medians over the repeats.

    Parameters
    ----------
    pooled : float
        Over the out-of-fold predictions of all folds together, as the validation reports it.
    within : float
        Share of concordant pairs of vertebrae of the same fold. Pooling compares vertebrae of different
        folds; where a model has learned nothing it predicts the prevalence of its training rows, which
        is lower when the test fold holds more positives, so that the pooled AUC of an honest pipeline
        on noise lies below 0.5. This one does not have that bias.
    """

    pooled: float
    within: float


@dataclass(frozen=True)
class Study:
    """A dataset and the pipeline that is assessed on it, as given to `cross_validate`.

    Parameters
    ----------
    dataset : Dataset
        Features, outcome, patients.
    model : ModelSpec, optional
        Which model; by default the elastic net.
    validation : ValidationSpec, optional
        How it is validated.
    features : sequence of str, optional
        Columns of `dataset.X` to use; all by default.
    with_covariates : bool, default False
        Add the covariates.
    repeats : sequence of DataFrame, optional
        Repeated measurements, for models with `min_icc`.
    """

    dataset: Dataset
    model: ModelSpec | None = None
    validation: ValidationSpec | None = None
    features: Sequence[str] | None = None
    with_covariates: bool = False
    repeats: Repeats | None = None

    def design(self) -> tuple[Plan, Sequence[FoldTask]]:
        """Return the plan of the model and all outer folds."""
        design = make_design(
            self.dataset,
            [self.model or ModelSpec()],
            self.validation or ValidationSpec(),
            features=self.features,
            with_covariates=self.with_covariates,
            repeats=self.repeats,
        )
        return design.plans[0], design.tasks

    def with_labels(self, y: IntArray) -> Study:
        """Return the same study with another outcome."""
        return replace(self, dataset=replace(self.dataset, y=pd.Series(y, index=self.dataset.X.index)))

    def spec(self, feature_set: str, **settings: Any) -> dict[str, Any]:
        """Return the specification of an assessment, ready for JSON."""
        return {
            "feature_set": feature_set,
            "model": (self.model or ModelSpec()).as_dict(),
            "validation": (self.validation or ValidationSpec()).as_dict(),
            "n": len(self.dataset),
            "n_subjects": self.dataset.n_subjects,
            **settings,
        }

    def provenance(self) -> Provenance:
        """Return the provenance of a result made from this dataset."""
        return Provenance({**self.dataset.provenance.reproducible, "versions": versions()})


def cross_validated_auc(plan: Plan, tasks: Sequence[FoldTask]) -> Discrimination:
    """Run a nested cross-validation and return its AUC only.

    Parameters
    ----------
    plan : Plan
        Data and specifications.
    tasks : sequence of FoldTask
        All outer folds of all repeats.
    """
    outcomes = [run_fold(plan, task) for task in tasks]
    pooled, within = [], []
    for repeat in sorted({outcome.task.repeat for outcome in outcomes}):
        folds = [outcome for outcome in outcomes if outcome.task.repeat == repeat]
        parts = [(plan.y[one.task.test] == 1, one.probability) for one in folds]
        concordant, pairs = np.sum([_concordance(*part) for part in parts], axis=0)
        within.append(concordant / pairs)
        concordant, pairs = _concordance(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        pooled.append(concordant / pairs)
    return Discrimination(float(np.median(pooled)), float(np.median(within)))


def with_retries(task: Callable[[np.random.Generator], Value], seed: Sequence[int]) -> Value:
    """Run a task with a random draw; draw again when the draw leaves too few patients for the folds.

    Parameters
    ----------
    task : callable
        Takes a generator.
    seed : sequence of int
        Root of the randomness; each attempt has its own stream.

    Returns
    -------
    The value of the first attempt that succeeds.

    Raises
    ------
    AnalysisError
        RV502, when 20 draws in turn leave too few patients; any other error at once.
    """
    for attempt in range(MAX_ATTEMPTS):
        try:
            return task(np.random.default_rng(np.random.SeedSequence([*seed, attempt])))
        except AnalysisError as error:
            if {problem.code for problem in error.problems} != {"RV502"}:
                raise
            failed = error
    raise failed


def _concordance(positive: NDArray[np.bool_], probability: FloatArray) -> tuple[float, int]:
    """Concordant pairs (ties one half), and pairs."""
    wins = np.subtract.outer(probability[positive], probability[~positive])
    return float(np.sum((wins > 0) + 0.5 * (wins == 0))), wins.size
