"""Made-up results of the analyses beyond the core, with the columns of the functions that make them."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from made_study import association, every_result, feature_names, validation
from scipy.special import expit

from radiomics_vert.dataset.naming import parse_feature
from radiomics_vert.results import Result

_MODEL = {"feature_set": "texture", "model": {"name": "elastic_net"}}
_LABELS = ["covariates, elastic_net", "texture, elastic_net", "combined, elastic_net"]


def _top(n: int) -> list[str]:
    return association().frame("features").sort_values("p_value")["feature"].head(n).tolist()


def _limits(estimate: np.ndarray, half: float) -> dict[str, np.ndarray]:
    return {"estimate": estimate, "ci_low": estimate - half, "ci_high": estimate + half}


def adjusted() -> Result:
    """Eight features: one by Firth's method, one not estimable, one with a huge interval."""
    rng = np.random.default_rng(21)
    names = _top(8)
    log = rng.normal(0.6, 0.4, 8)
    log[2], half = 2.4, np.full(8, 0.6)
    half[2] = 4.0
    gee = pd.DataFrame({"feature": names, "family": [parse_feature(name).family for name in names]}).assign(
        correlation="independence",
        n=95,
        n_subjects=40,
        estimate=np.exp(log),
        ci_low=np.exp(log - half),
        ci_high=np.exp(log + half),
        p_value=np.linspace(0.001, 0.4, 8),
        p_adjusted=np.linspace(0.008, 0.4, 8),
        covariates="age, sex=male",
        method="GEE logistic, Kauermann-Carroll variance",
        note="",
    )
    gee.loc[3, ["method", "note"]] = [
        "Firth logistic, profile likelihood divided by the design effect",
        "feature and covariates separate the classes; design effect 1.40",
    ]
    gone = ["estimate", "ci_low", "ci_high", "p_value", "p_adjusted"]
    gee.loc[7, gone] = np.nan
    gee.loc[7, "note"] = "not estimable: one value only"
    plain = gee.assign(estimate=np.exp(1.3 * log), ci_low=np.exp(1.3 * log - half), covariates="")
    other = gee.assign(correlation="exchangeable", estimate=9.87, p_value=0.9)
    mixed = gee[["feature", "family", "n", "n_subjects", "p_value"]].assign(
        **_limits(0.6 * log, 0.4), icc=0.4, note=""
    )
    spec = {
        "confidence": 0.95,
        "preferred_correlation": "independence",
        "covariates": ["age", "sex"],
        "n_features": 8,
        "n_without_a_covariate": 2,
    }
    tables = {"gee": pd.concat([other, gee], ignore_index=True), "mixed": mixed, "unadjusted": plain}
    return Result("adjusted", tables, spec)


def confounding(trap: bool = True, twins: bool = False) -> Result:
    """Age differs, one site has one class, one feature is missing in one class."""
    variables = pd.DataFrame(
        [
            ("slice_thickness", "AUC", 0.53, 0.35, 0.71, 0.17, 0.72, False, ""),
            ("age", "AUC", 0.71, 0.58, 0.82, 0.77, 0.012, True, "differs between the classes"),
            ("site", "Cramer's V", 0.31, 0.0, 0.5, 0.4, 0.09, False, "large but uncertain"),
        ],
        columns=[
            *("variable", "measure", "estimate", "ci_low", "ci_high", "standardized_difference"),
            *("p_adjusted", "flagged", "remark"),
        ],
    ).assign(n=97, n_subjects=40)
    names = feature_names()[:12]
    features = pd.DataFrame({"feature": names, "family": "original shape"}).assign(
        volume_correlation=np.linspace(-0.95, 0.95, 12), thickness_correlation=np.nan
    )
    features["flagged"] = features["volume_correlation"].abs() > 0.8
    features["remark"] = np.where(features["flagged"], "mainly measures volume", "")
    sites = pd.DataFrame(
        {"site": ["A", "B"], "n": [80, 17], "n_subjects": [33, 7], "n_positive": [22, 17]}
    ).assign(positive_share=[0.275, 1.0], one_label=[False, True], remark=["", "only metastatic"])
    missingness = pd.DataFrame(
        {
            "feature": ["kvp", names[5]],
            "role": ["variable", "feature"],
            "n_missing": [3, 21],
            "missing_positive": [1, 20],
            "missing_negative": [2, 1],
            "share_positive": [1 / 39, 20 / 39],
            "share_negative": [2 / 58, 1 / 58],
            "estimate": [0.49, 0.75],
            "ci_low": [0.45, 0.66],
            "ci_high": [0.54, 0.82],
            "p_adjusted": [0.7, 1e-5],
            "flagged": [False, trap],
            "remark": ["", "missing more often in metastatic" if trap else ""],
        }
    )
    near = pd.DataFrame(
        [("a_L1", "b_L1", "sub-01", "sub-09", 0.0, 40, True, "the same vertebra under two ids")],
        columns=[
            *("unit_a", "unit_b", "subject_a", "subject_b", "distance", "n_features", "identical", "remark"),
        ],
    )
    tables = {"variables": variables, "features": features, "sites": sites, "missingness": missingness}
    spec = {"confidence": 0.95, "significance": 0.05}
    return Result("confounding", tables | {"near_duplicates": near if twins else near.head(0)}, spec)


def reliability(unit_error: bool = True) -> Result:
    """Three raters, 40 features; one rater gives a volume in another unit."""
    rng = np.random.default_rng(8)
    names = feature_names()[:40]
    icc = np.clip(rng.normal(0.75, 0.2, 40), -0.1, 0.99)
    icc[[0, 7]] = [0.97, np.nan]
    features = pd.DataFrame({"feature": names, "sequence": "CT"}).assign(
        family=[parse_feature(name).family for name in names],
        form="ICC(2,1)",
        n_targets=30,
        **_limits(icc, 0.1),
        concordance=icc,
        bias=0.1,
        loa_low=-2.0,
        loa_high=2.2,
        pair="reader 2 - reader 1",
        category="good",
        note="",
    )
    families = pd.DataFrame(
        [
            (family, "CT", len(own), own["estimate"].median(), (own["estimate"] >= 0.8).mean(), 0.1)
            for family, own in features.groupby("family", sort=False)
        ],
        columns=["family", "sequence", "n", "median_icc", "share_reliable", "share_reliable_lower_limit"],
    )
    readers = [f"reader {number}" for number in (1, 2, 3)]
    raters = pd.DataFrame(
        [(rater, name) for rater in readers for name in names], columns=["rater", "feature"]
    )
    raters = raters.assign(sequence="CT", n_targets=30, median_ratio=1.01, power_of_ten=0, note="")
    if unit_error:
        wrong = (raters["rater"] == "reader 2") & (raters["feature"] == names[1])
        raters.loc[wrong, ["median_ratio", "power_of_ten"]] = [0.001, -3]
    pairs = [
        pd.DataFrame({"feature": name, "first": a, "second": b, "mean": rng.normal(50, 9, 30)}).assign(
            difference=rng.normal(0, 1, 30)
        )
        for name in names[:2]
        for a, b in combinations(readers, 2)
    ]
    spec = {
        **{"by": "rater", "form": "ICC(2,1)", "confidence": 0.95, "threshold": 0.8, "interval": "bootstrap"},
        **{"n_bootstrap": 500, "seed": 3, "raters": readers, "n_targets": 30, "n_subjects": 14},
        "assumption": "patients resampled with all their vertebrae",
    }
    tables = {"features": features, "pairs": pd.concat(pairs, ignore_index=True), "families": families}
    return Result("reliability", tables | {"raters": raters}, spec)


def sample_size(met: bool = False) -> list[Result]:
    """A check that fails, or one that passes, and a plan."""
    criteria = pd.DataFrame(
        {
            "criterion": ["overall_risk", "prediction_error", "shrinkage", "optimism"],
            "meaning": ["risk within 0.05", "error at most 0.05", "shrunk no further", "R2 within 0.05"],
        }
    )
    checks = criteria.assign(needed=[369, 1005, 6070, 458], available=9000 if met else 97)
    checks["met"] = checks["available"] >= checks["needed"]
    expected = pd.DataFrame(
        {
            "n": [97],
            "events": [39],
            "parameters": [182],
            "events_per_parameter": [39 / 182],
            "effective_n": [40.2],
            "shrinkage": [0.112],
            "parameters_supported": [1],
        }
    )
    plan = criteria.assign(
        n_independent=[369, 1005, 607, 458],
        n_vertebrae=[443, 1206, 729, 550],
        n_patients=[185, 503, 304, 230],
        events=[178, 483, 292, 220],
        events_per_parameter=[8.9, 24.1, 14.6, 11.0],
        shrinkage=[0.85, 0.94, 0.9, 0.87],
        decides=[False, True, False, False],
        note="",
    )
    spec = {"r2_cs": 0.11, "r2_source": "from an AUC of 0.7", "candidate_parameters": 182, "prevalence": 0.4}
    return [
        Result("sample_size_check", {"checks": checks, "expected": expected}, spec),
        Result("sample_size", {"criteria": plan}, {**spec, "candidate_parameters": 20}),
    ]


def richer_validation() -> Result:
    """The validation of the made study, with the curves and tables that came later."""
    base = validation()
    x = np.linspace(0.05, 0.95, 30)
    threshold = np.arange(1, 100) / 100
    act = 0.4 - 0.6 * threshold / (1 - threshold)
    parts: dict[str, list[pd.DataFrame]] = {}
    for number, features in enumerate(("covariates", "texture", "combined")):
        head: dict[str, Any] = {"feature_set": features, "model": "elastic_net"}
        recall = np.linspace(0, 1, 40)
        precision = 0.95 - 0.5 * recall ** (1 + number)
        gain = np.maximum(act, 0.3 * (1 - threshold) ** 2 * (1 + number) / 2)
        rows = {
            "pr": pd.DataFrame(
                {"recall": recall, "precision": precision, "low": precision - 0.1, "high": precision + 0.04}
            ),
            "calibration_curve": pd.DataFrame(
                {"predicted": x, "observed": x**1.2, "low": x**1.2 - 0.05, "high": x**1.2 + 0.05}
            ),
            "decision_curve": pd.DataFrame(
                {
                    "threshold": threshold,
                    "net_benefit": gain,
                    "low": gain - 0.05,
                    "high": gain + 0.05,
                    "all": act,
                    "none": 0.0,
                }
            ),
            "patients": pd.DataFrame(
                [
                    (rule, metric, 0.8, 0.7, 0.9, 40)
                    for rule in ("max", "mean")
                    for metric in ("auc", "brier")
                ],
                columns=["rule", "metric", "estimate", "ci_low", "ci_high", "n"],
            ),
            "predictive_values": pd.DataFrame(
                [("ppv", 0.1, 0.25, 0.15, 0.4), ("npv", 0.1, 0.96, 0.93, 0.98)],
                columns=["metric", "prevalence", "estimate", "ci_low", "ci_high"],
            ),
        }
        for name, table in rows.items():
            parts.setdefault(name, []).append(table.assign(**head))
    more = {name: pd.concat(tables, ignore_index=True) for name, tables in parts.items()}
    return Result("validation", {**base.tables, **more}, {**base.spec, "primary": ["texture", "elastic_net"]})


def comparison() -> Result:
    """Three pairs; the first is clear."""
    table = pd.DataFrame(
        [
            (_LABELS[0], _LABELS[1], -0.241, -0.36, -0.12, 0.0001, 0.004),
            (_LABELS[0], _LABELS[2], -0.223, -0.35, -0.1, 0.0006, 0.01),
            (_LABELS[1], _LABELS[2], 0.018, -0.03, 0.07, 0.47, np.nan),
        ],
        columns=["a", "b", "estimate", "ci_low", "ci_high", "p_value", "p_nadeau_bengio"],
    )
    return Result(
        "comparison", {"differences": table.assign(n_repeats=3)}, {"n_pairs": 3, "confidence": 0.95}
    )


def optimism() -> Result:
    """An overfitted model."""
    rng = np.random.default_rng(13)
    table = pd.DataFrame(
        [
            ("auc", 0.942, 0.121, 0.821, 0.79, 0.826, 200, ""),
            ("brier", 0.101, -0.07, 0.171, 0.19, 0.172, 200, ""),
            ("calibration_slope", 1.62, 0.8, 0.82, np.nan, np.nan, 198, "not defined in 2 samples"),
        ],
        columns=[
            *("metric", "apparent", "optimism", "corrected", "out_of_bag", "estimate_632_plus", "n_boot"),
            "note",
        ],
    )
    y = np.repeat([0, 1], [58, 39])
    original = expit(rng.normal(2 * y - 1, 1))
    units = pd.DataFrame({"unit": [f"u{k}" for k in range(97)], "subject_id": "s", "y": y})
    units = units.assign(
        original=original, low=original * 0.6, median=original, high=original**0.5, mape=0.13
    )
    summary = pd.DataFrame({"quantity": ["mape", "n_boot"], "value": [0.13, 200.0]})
    tables = {"optimism": table, "instability": units, "summary": summary}
    return Result("optimism", tables, {**_MODEL, "n_boot": 200, "seed": 5})


def permutation() -> Result:
    """Two hundred permutations, none as good as the model."""
    null = np.random.default_rng(1).normal(0.5, 0.06, 200)
    tests = pd.DataFrame(
        [
            ("auc", 0.81, 0.5, 0.39, 0.61, 1 / 201, 200),
            ("auc_within_folds", 0.8, 0.5, 0.38, 0.62, 1 / 201, 200),
        ],
        columns=[
            *("statistic", "observed", "null_mean", "null_low", "null_high", "p_value", "n_permutations"),
        ],
    )
    table = pd.DataFrame({"permutation": np.arange(1, 201), "auc": null, "auc_within_folds": null})
    return Result(
        "permutation", {"permutation": tests, "null": table}, {**_MODEL, "n_permutations": 200, "seed": 5}
    )


def leakage_probe(leak: bool = False) -> Result:
    """A probe that passes, or one that fails on noise."""
    table = pd.DataFrame(
        [
            (
                kind,
                statistic,
                0.5 + shift,
                0.44 + shift,
                0.56 + shift,
                10,
                "leak" if shift > 0.06 else "clean",
            )
            for kind, shift in (("permuted labels", 0.0), ("pure noise", 0.3 if leak else 0.01))
            for statistic in ("auc", "auc_within_folds")
        ],
        columns=["probe", "statistic", "estimate", "ci_low", "ci_high", "n_repeats", "verdict"],
    )
    spec = {
        **_MODEL,
        "n_probes": 10,
        "seed": 5,
        "verdict": "leak" if leak else "clean",
        "meaning": "Do not trust its results." if leak else "No sign of leakage.",
    }
    return Result("leakage_probe", {"probe": table}, spec)


def negative_control(auc: float = 0.52) -> Result:
    """The model on unfractured vertebrae."""
    table = pd.DataFrame(
        [("negative control", "elastic_net", "auc", auc, auc - 0.08, auc + 0.08, 90, 40)],
        columns=["feature_set", "model", "metric", "estimate", "ci_low", "ci_high", "n", "n_subjects"],
    )
    return Result("negative_control", {"metrics": table}, {})


def subgroups() -> Result:
    """Two variables; one subgroup is too small."""
    rows = [
        ("sex", "female", 60, 22, 38, 25, 0.83, 0.7, 0.91),
        ("sex", "male", 37, 17, 20, 15, 0.79, 0.6, 0.9),
        ("site", "A", 80, 22, 58, 33, 0.8, 0.69, 0.88),
        ("site", "B", 17, 17, 0, 7, np.nan, np.nan, np.nan),
    ]
    columns = [
        *("variable", "subgroup", "n", "n_positive", "n_negative", "n_subjects"),
        *("estimate", "ci_low", "ci_high"),
    ]
    table = pd.concat(
        [
            pd.DataFrame(rows, columns=columns).assign(feature_set=name, model="elastic_net")
            for name in ("covariates", "texture")
        ],
        ignore_index=True,
    )
    spec = {"by": ["sex", "site"], "absent": ["genant_grade"], "minimum": 10, "confidence": 0.95}
    return Result("subgroups", {"subgroups": table}, spec)


def explanation() -> Result:
    """Ten features, the first two moved together."""
    names = _top(10)
    loss = np.linspace(0.2, -0.01, 10)
    importance = pd.DataFrame({"feature": names, "importance": loss, "ci_low": loss - 0.05}).assign(
        ci_high=loss + 0.05, frequency=np.linspace(1, 0.1, 10), moved_with="", n_folds=15
    )
    importance.loc[0, "moved_with"] = names[1]
    alone = pd.DataFrame({"feature": names, "auc": 0.7, "ci_low": 0.6, "ci_high": 0.8}).assign(
        frequency=np.linspace(1, 0, 10), mean_coefficient=np.linspace(1, -1, 10), agreement="same direction"
    )
    alone.loc[[5, 6], "agreement"] = "opposite direction"
    spec = {**_MODEL, "n_permutations": 10, "together": 0.7, "seed": 5}
    return Result("explanation", {"importance": importance, "univariate": alone}, spec)


def _inputs(cohort: str, beyond: float) -> pd.DataFrame:
    """Four inputs; one is out of range in a share of the rows, one text, one missing but not used."""
    names = ["original_firstorder_Mean", "sex", "original_glcm_Contrast", "original_shape_Sphericity"]
    table = pd.DataFrame({"feature": names, "unit": ["HU", "none", "none", "none"]})
    return table.assign(
        used=[True, True, False, True],
        train_min=[12.0, np.nan, 1.0, 0.2], train_p01=[15.0, np.nan, 1.0, 0.2],
        train_p99=[300.0, np.nan, 2.0, 0.8], train_max=[340.5, np.nan, 2.5, 0.9],
        train_values=["", "female, male", "", ""], train_missing=0.0,
        share_out_of_range=[beyond, 0.0, 0.9, 0.0], share_beyond_p01_p99=[beyond + 0.1, np.nan, 0.9, 0.0],
        share_missing=[0.0, 0.05, 0.5, 0.0], cohort=cohort,
    )  # fmt: skip


def external() -> Result:
    """Two cohorts; the second is badly calibrated. A third has one patient only."""
    names = ["Hospital North", "Hospital South", "Registry"]
    base = richer_validation()
    keep = {"feature_set": "texture", "model": "elastic_net"}
    tables: dict[str, list[pd.DataFrame]] = {}
    for cohort in names[:2]:
        for name in ("roc", "calibration", "calibration_curve", "decision_curve"):
            rows = base.frame(name)
            rows = rows[(rows["feature_set"] == keep["feature_set"])].drop(columns=list(keep))
            tables.setdefault(name, []).append(rows.assign(cohort=cohort))
        update = pd.DataFrame(
            [
                ("none", 0.0, 1.0, 0.31, 0.351, 0.84, "locked model"),
                ("intercept", -4.1, 1.0, 0.15, 0.05, 0.84, "fitted here"),
                ("intercept+slope", -3.9, 0.87, 0.149, 0.04, 0.84, "fitted here"),
            ],
            columns=["update", "intercept", "slope", "brier", "ici", "auc", "note"],
        )
        tables.setdefault("recalibration", []).append(update.assign(cohort=cohort))
        recall = np.linspace(0, 1, 21)
        tables.setdefault("pr", []).append(
            pd.DataFrame(
                {"recall": recall, "precision": 0.9 - 0.3 * recall, "low": 0.5, "high": 0.95}
            ).assign(cohort=cohort)
        )
        tables.setdefault("patients", []).append(
            pd.DataFrame(
                {
                    "rule": ["max", "max", "mean"],
                    "metric": ["auc", "sensitivity", "auc"],
                    "estimate": [0.8, 0.7, 0.81],
                }
            ).assign(ci_low=0.6, ci_high=0.9, n=40, cohort=cohort)
        )
        values = pd.DataFrame({"metric": ["ppv", "npv"], "prevalence": 0.1, "estimate": [0.31, 0.97]})
        tables.setdefault("predictive_values", []).append(
            values.assign(ci_low=0.2, ci_high=0.98, cohort=cohort)
        )
        tables.setdefault("inputs", []).append(_inputs(cohort, 0.4 if "South" in cohort else 0.0))
    aucs = dict(zip(names, (0.84, 0.79, np.nan), strict=True))
    tables["metrics"] = [
        pd.DataFrame(
            {
                "cohort": cohort,
                "metric": ["auc", "sensitivity"],
                "estimate": [auc, 0.75],
                "ci_low": [auc - 0.1, 0.6],
                "ci_high": [auc + 0.07, 0.9],
            }
        )
        for cohort, auc in aucs.items()
    ]
    tables["cohorts"] = [
        pd.DataFrame({"cohort": names, "n": [80, 60, 1], "n_subjects": [40, 31, 1]}).assign(
            n_positive=[40, 20, 1], prevalence=[0.5, 1 / 3, 1.0], n_not_predicted=0,
            n_out_of_range=[2, 30, 0], n_with_missing=0, note=["", "", "fewer than 2 patients of a class"],
        )
    ]  # fmt: skip
    spec = {
        **{"model": "elastic_net", "threshold": 0.553, "confidence": 0.95, "cohorts": names},
        "development": {"n": 97, "n_subjects": 40},
        "bundle": "ab" * 32,
        "tables": {"Hospital South": "cd" * 32},
    }
    order = ["metrics", *(name for name in tables if name != "metrics")]
    return Result("external", {name: pd.concat(tables[name], ignore_index=True) for name in order}, spec)


def prediction() -> Result:
    """Three new cases; one cannot be predicted."""
    table = pd.DataFrame(
        {
            "unit": ["x1_L1", "x2_L3", "x3_T12"],
            "subject_id": ["x1", "x2", "x3"],
            "probability": [0.81, 0.2, np.nan],
            "decision": ["metastatic", "osteoporotic", ""],
            "n_out_of_range": [0, 2, 0],
            "n_missing": [0, 0, 9],
            "note": ["", "2 of 9 used inputs outside", "not predicted"],
        }
    )
    return Result("prediction", {"predictions": table}, {"threshold": 0.553, "positive": "metastatic"})


def correlation() -> pd.DataFrame:
    """Rank correlations of six features: two blocks, the second with a negative partner."""
    names = _top(6)
    block = [0, 1, 0, 1, 0, 1]
    sign = [1, 1, 1, -1, 1, 1]
    rows = [
        (a, b, 1.0 if i == j else (0.9 * sign[i] * sign[j] if block[i] == block[j] else 0.05))
        for i, a in enumerate(names)
        for j, b in enumerate(names)
    ]
    return pd.DataFrame(rows, columns=["feature_a", "feature_b", "rho"])


@lru_cache(maxsize=1)
def every_analysis() -> tuple[Result, ...]:
    """All kinds of results that a report can show, without alarm."""
    core = {result.kind: result for result in every_result()}
    core["validation"] = richer_validation()
    values = core["values"]
    core["values"] = Result("values", {**values.tables, "correlation": correlation()})
    return (
        *core.values(),
        reliability(unit_error=False),
        adjusted(),
        confounding(trap=False),
        *sample_size(),
        comparison(),
        optimism(),
        permutation(),
        leakage_probe(),
        negative_control(),
        subgroups(),
        explanation(),
        external(),
        prediction(),
    )
