"""What the settings of the models ask for, against who will enter the analysis, before anything is fitted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from radiomics_vert.checks.findings import Finding
from radiomics_vert.dataset import Dataset
from radiomics_vert.errors import AnalysisError, Problem
from radiomics_vert.modeling import ValidationSpec
from radiomics_vert.modeling.design import require_folds
from radiomics_vert.modeling.harmonisation import harmonisation_columns, require_engine
from radiomics_vert.modeling.splits import patients_per_class
from radiomics_vert.modeling.subgroup_auc import VARIABLES
from radiomics_vert.phrases import did_you_mean


def check_plan(
    dataset: Dataset,
    validation: ValidationSpec,
    *,
    subgroups: Sequence[str] = (),
    harmonise_covariates: Sequence[str] | None = None,
) -> list[Finding]:
    """Check the plan of a validation against the vertebrae that it will have; features are not needed.

    The folds are laid out and the covariates looked up by the very functions that the validation uses, so
    that what passes here does not fail hours later.

    Parameters
    ----------
    dataset : Dataset
        Who will be analysed.
    validation : ValidationSpec
        Folds, repeats, scheme, seed.
    subgroups : sequence of str
        Variables in whose groups results are asked for. Those that are asked for by default may be absent.
    harmonise_covariates : sequence of str, optional
        Covariates that harmonisation between sites must not remove; None without harmonisation.

    Returns
    -------
    list of Finding
        RV502 too few patients for the folds, the inner ones in every outer training part too. RV413 a
        subgroup of an unknown variable. RV103, RV105, RV506, RV507 what harmonisation or
        leave-one-site-out cannot use, among it a package that is not installed.
    """
    found = list(_unknown_subgroups(dataset, subgroups))
    if harmonise_covariates is not None:
        found += _asked(require_engine)
        found += _asked(lambda: harmonisation_columns(dataset, harmonise_covariates))
    # Fewer patients than outer folds are a finding of check_dataset already.
    if _fewest_patients(dataset) >= (validation.patient_folds or 0):
        found += _asked(lambda: require_folds(dataset, validation))
    return list({(one.code, one.explanation): one for one in found}.values())


def finding_of(problem: Problem) -> Finding:
    """Return a problem as a finding of severity error."""
    told = f"{problem.found} (expected {problem.expected}; {problem.where})"
    return Finding(problem.code, "error", told, problem.remedy)


def _unknown_subgroups(dataset: Dataset, names: Iterable[str]) -> Iterator[Finding]:
    known = sorted({*VARIABLES, *map(str, dataset.covariates.columns), *map(str, dataset.info.columns)})
    for name in names:
        if name not in known:
            yield Finding(
                "RV413",
                "error",
                f"assessment.subgroups names {name!r}, which is neither a covariate nor one of "
                f"{', '.join(VARIABLES)}",
                did_you_mean(name, known) or "name its column under covariates, or leave the subgroup out",
            )


def _fewest_patients(dataset: Dataset) -> int:
    return min(patients_per_class(np.asarray(dataset.y), dataset.groups.to_numpy(dtype=object)))


def _asked(call: Callable[[], object]) -> list[Finding]:
    try:
        call()
    except AnalysisError as error:
        return [finding_of(problem) for problem in error.problems]
    return []
