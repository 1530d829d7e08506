"""Limits that the numbers of the run themselves reveal; the authors add those that only they know."""

from __future__ import annotations

from radiomics_vert.reporting.inputs import KINDS, Inputs, numeric
from radiomics_vert.reporting.models import estimate, primary, settings_of
from radiomics_vert.reporting.nouns import Section, Text
from radiomics_vert.reporting.sections.alarms import warnings
from radiomics_vert.reporting.sections.confounding import flagged
from radiomics_vert.reporting.sections.counts import Counts, counts
from radiomics_vert.reporting.sections.external import cohort_aucs
from radiomics_vert.reporting.sections.leakage import control_text
from radiomics_vert.reporting.sections.optimism import corrected_auc, mape
from radiomics_vert.reporting.sections.sample_size import shortfall
from radiomics_vert.reporting.wording import count, fixed, listing, number, percent, sentence_case

_FEW_EVENTS, _FEW_PATIENTS, _EVENTS_PER_CANDIDATE = 100, 100, 10
_OPTIMISTIC, _UNSTABLE = 0.05, 0.1
_NAMES = {
    "study": "study description",
    "flow": "cohort flow",
    "checks": "data checks",
    "quality": "quality of images and masks",
    "extraction": "feature extraction",
    "table_one": "Table 1",
    "association": "comparison of features",
    "validation": "model validation",
    "values": "single values of the top features",
    "reliability": "reliability of the features",
    "adjusted": "adjustment for covariates",
    "confounding": "confounding audit",
    "sample_size_check": "check of the sample size",
    "comparison": "differences between models",
    "optimism": "bootstrap of the optimism",
    "permutation": "permutation test",
    "leakage_probe": "leakage probe",
    "negative_control": "negative control on unfractured vertebrae",
    "subgroups": "subgroups",
    "explanation": "importance of the features in the model",
    "provenance": "provenance",
}


def section(inputs: Inputs) -> Section:
    """Return the section."""
    found = counts(inputs)
    points = [
        *_synthetic(inputs),
        *_distrust(inputs),
        *_size(inputs, found),
        *_candidates(inputs, found),
        *_prevalence(inputs, found),
        _sites(inputs),
        *_clustering(inputs, found),
        *_failures(found),
        *_confounding(inputs),
        *_reliability(inputs),
        *_optimism(inputs),
        *_calibration(inputs),
        *_absent(inputs),
        _external(inputs),
    ]
    lead = Text(
        (
            "Derived from the numbers of this run. Limits of design and reference standard must be "
            "added by the authors.",
        )
    )
    return Section("limits", "Limits", (lead, Text(tuple(points), "points")))


def _synthetic(inputs: Inputs) -> list[str]:
    if not inputs.synthetic:
        return []
    return [
        "Synthetic data: the report shows that the software runs and what it prints; it says nothing "
        "about patients."
    ]


def _distrust(inputs: Inputs) -> list[str]:
    """Repeat what forbids to take the results at face value."""
    return [f"Not to be trusted as it stands: {text}" for text in warnings(inputs)]


def _confounding(inputs: Inputs) -> list[str]:
    control = control_text(inputs)
    lines = [f"Negative control: {control}"] if control else []
    variables = flagged(inputs, "variables")
    if len(variables):
        names = listing([sentence_case(str(name)).lower() for name in variables["variable"]])
        lines.append(
            f"Confounding: the classes differ in {names}; a feature that depends on these separates them "
            "without the disease."
        )
    sites = flagged(inputs, "sites", "one_label")
    if len(sites):
        lines.append(
            f"Sites with one class only: {listing(sites['site'].astype(str).tolist())}; there, site and "
            "disease "
            "cannot be told apart."
        )
    return lines


def _reliability(inputs: Inputs) -> list[str]:
    features = inputs.table("reliability", "features")
    if features.empty:
        return []
    threshold = float(inputs.spec("reliability").get("threshold", 0.75))
    below = int((~(numeric(features, "estimate") >= threshold)).sum())
    if not below:
        return []
    return [
        f"Reliability: {count(below, 'feature')} of {number(len(features))} do not reach an ICC of "
        f"{threshold:g} "
        "between repeated measurements; findings on them may not repeat."
    ]


def _optimism(inputs: Inputs) -> list[str]:
    apparent, corrected = corrected_auc(inputs)
    lines = []
    if apparent - corrected > _OPTIMISTIC:
        lines.append(
            f"Overfitting: of the apparent AUC of {fixed(apparent)}, {fixed(apparent - corrected)} is "
            "optimism; "
            f"{fixed(corrected)} is left after correction."
        )
    moved = mape(inputs)
    if moved > _UNSTABLE:
        lines.append(
            f"Instability: had other patients of the same kind been included, the prediction of a case would "
            f"differ by {fixed(moved)} on average; single predictions should not be used."
        )
    return lines


def _external(inputs: Inputs) -> str:
    aucs = cohort_aucs(inputs)
    if not aucs:
        return (
            "External validation: none is part of this report; performance at another hospital, scanner or "
            "protocol is unknown."
        )
    told = listing([f"{name} (AUC {auc})" for name, auc in aucs.items()])
    return f"External validation: {told}; how the model does elsewhere is unknown."


def _size(inputs: Inputs, found: Counts) -> list[str]:
    smaller = min(found.positive, found.negative)
    if not smaller or (smaller >= _FEW_EVENTS and found.subjects >= _FEW_PATIENTS):
        return []
    return [
        f"Small sample: {count(smaller, *inputs.unit)} in the smaller class and "
        f"{count(found.subjects, 'patient')}. Validation "
        f"studies are usually advised to have at least {_FEW_EVENTS} events; intervals are wide and "
        "the ranking of features is unstable."
    ]


def _candidates(inputs: Inputs, found: Counts) -> list[str]:
    short = shortfall(inputs)
    if short:
        return [
            f"Sample size: {short}. Selection and shrinkage inside the folds limit, but do not remove, "
            "overfitting."
        ]
    model = primary(inputs)
    named = settings_of(inputs, model).get("n_features") if model else None
    candidates = int(named) if named is not None else len(inputs.table("association", "features"))
    smaller = min(found.positive, found.negative)
    if not candidates or not smaller or smaller / candidates >= _EVENTS_PER_CANDIDATE:
        return []
    return [
        f"Events per candidate variable: {number(smaller)} / {number(candidates)} = "
        f"{number(smaller / candidates)}, "
        f"against the rule of thumb of {_EVENTS_PER_CANDIDATE} or more. Selection and shrinkage "
        "inside the folds limit, "
        "but do not remove, overfitting."
    ]


def _prevalence(inputs: Inputs, found: Counts) -> list[str]:
    total = found.positive + found.negative
    if not total:
        return []
    return [
        f"Class mix: {percent(found.positive, total)} of the {inputs.unit[1]} are {inputs.positive}. "
        "Where the condition is rarer "
        "or more frequent, predictive values and calibration change."
    ]


def _sites(inputs: Inputs) -> str:
    sites = inputs.spec("study").get("sites")
    n = len(sites) if isinstance(sites, list | tuple) else sites
    if isinstance(n, int) and n > 1:
        return f"Sites: {number(n)}; differences between sites may still confound features and classes."
    if n == 1:
        return (
            "Single site: scanners, protocols and referral of one hospital; other hospitals may "
            "give other feature values."
        )
    return "Sites: their number is not recorded; read the results as those of a single site."


def _clustering(inputs: Inputs, found: Counts) -> list[str]:
    if not found.subjects or found.units <= found.subjects:
        return []
    each = fixed(found.units / found.subjects, 1)
    return [
        f"Several {inputs.unit[1]} per patient ({each} on average): intervals and folds respect this, "
        "but the effective sample "
        f"is smaller than {number(found.units)}."
    ]


def _failures(found: Counts) -> list[str]:
    lost = [f"{number(found.failed)} of {count(found.cases, 'case')}"] if found.failed else []
    lost += [f"{count(found.refused, 'scan')} with all its vertebrae"] if found.refused else []
    if not lost:
        return []
    return [
        f"Incomplete measurement: {' and '.join(lost)} could not be measured; if the reason is "
        "related to the disease, the results are biased."
    ]


def _calibration(inputs: Inputs) -> list[str]:
    model = primary(inputs)
    slope = estimate(inputs, model, "calibration_slope") if model else None
    if slope is None or not (slope.estimate < 0.8 or slope.estimate > 1.2):
        return []
    return [
        f"Calibration: the slope is {slope}, so the predicted probabilities should not be read as "
        "risks without recalibration."
    ]


def _absent(inputs: Inputs) -> list[str]:
    absent = [_NAMES[kind] for kind in KINDS if kind not in inputs and kind != "external"]
    features = inputs.table("association", "features")
    lines = [f"Not part of this run: {listing(absent, len(_NAMES))}."] if absent else []
    untested = int(numeric(features, "estimate").isna().sum()) if len(features) else 0
    if untested:
        lines.append(f"Untested features: {number(untested)} could not be tested; the full table notes why.")
    return lines
