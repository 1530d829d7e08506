"""A made-up study with all kinds of results, large enough to look like a real one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from radiomics_vert.dataset.naming import parse_feature
from radiomics_vert.results import Result

HOSTILE = "<script>alert('x')</script>"
_CLASSES = {
    "shape": ["Sphericity", "MeshVolume", "Elongation", "Flatness", "SurfaceVolumeRatio"],
    "firstorder": ["Mean", "Entropy", "10Percentile", "Skewness", "Kurtosis", "InterquartileRange"],
    "glcm": ["Contrast", "JointEntropy", "Idm", "Imc1", "Correlation", "ClusterShade"],
    "glrlm": ["RunEntropy", "ShortRunEmphasis", "LongRunHighGrayLevelEmphasis"],
    "glszm": ["ZoneEntropy", "SmallAreaEmphasis", "ZoneVariance"],
    "gldm": ["DependenceEntropy", "LargeDependenceHighGrayLevelEmphasis"],
    "ngtdm": ["Busyness", "Coarseness"],
}
_FILTERS = ["original", "log-sigma-2-0-mm-3D", "wavelet-LLH", "wavelet-HHL"]


def feature_names(copies: int = 1) -> list[str]:
    """Names as extraction makes them, for the sequences CT and T1; `copies` multiplies the last filter."""
    filters = [*_FILTERS, *(f"log-sigma-{k}-0-mm-3D" for k in range(3, 3 + copies - 1))]
    return [
        f"{sequence}__{name}_{kind}_{feature}"
        for sequence in ("CT", "T1")
        for name in filters
        for kind, features in _CLASSES.items()
        for feature in features
        if kind != "shape" or name == "original"
    ]


def association(copies: int = 1) -> Result:
    """A feature table with effects of all sizes, one feature that could not be tested."""
    rng = np.random.default_rng(7)
    names = feature_names(copies)
    parsed = [parse_feature(name) for name in names]
    n = len(names)
    auc = np.clip(0.5 + rng.normal(0, 0.13, n), 0.12, 0.88)
    se = 0.052
    z = (auc - 0.5) / se
    p = np.clip(2 * (1 - _phi(np.abs(z))), 1e-9, 1)
    table = pd.DataFrame({"feature": names})
    for field in ("sequence", "filter", "feature_class", "family"):
        table[field] = [getattr(name, field) for name in parsed]
    table = table.assign(
        n=97, n_positive=39, n_negative=58, n_subjects=40, missing_positive=0, missing_negative=0
    )
    middle = rng.lognormal(2, 2, n)
    for group, shift in (("positive", 1 + (auc - 0.5)), ("negative", 1.0)):
        table[f"median_{group}"] = middle * shift
        table[f"q1_{group}"] = middle * shift * 0.8
        table[f"q3_{group}"] = middle * shift * 1.3
    g = z * 0.25
    table = table.assign(
        estimate=auc,
        ci_low=np.clip(auc - 1.96 * se, 0.01, 1),
        ci_high=np.clip(auc + 1.96 * se, 0, 0.99),
        statistic=z,
        p_value=p,
        p_adjusted=_bh(p),
        p_adjusted_family=np.clip(p * 9, 0, 1),
        hedges_g=g,
        hedges_g_low=g - 0.4,
        hedges_g_high=g + 0.4,
        cliffs_delta=2 * auc - 1,
        cliffs_delta_low=2 * auc - 1.2,
        cliffs_delta_high=2 * auc - 0.8,
        direction=np.where(auc > 0.5, "higher in metastatic", "lower in metastatic"),
        volume_correlation=rng.uniform(-1, 1, n),
        note="",
    )
    tested = ["estimate", "ci_low", "ci_high", "statistic", "p_value", "p_adjusted", "p_adjusted_family"]
    table.loc[3, tested] = np.nan
    table.loc[3, "note"] = "RV503: constant: every vertebra has the same value"
    return Result("association", {"features": table, "families": _families(table)}, {"confidence": 0.95})


def _families(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for family, members in table.groupby("family", sort=False):
        best = members.loc[(members["estimate"] - 0.5).abs().idxmax()]
        rows.append(
            {
                "family": family,
                "n_features": len(members),
                "n_significant_05": int((members["p_adjusted"] < 0.05).sum()),
                "best_feature": best["feature"],
                "best_estimate": best["estimate"],
            }
        )
    return pd.DataFrame(rows)


def _phi(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-1.702 * z))


def _bh(p: np.ndarray) -> np.ndarray:
    order = np.argsort(p)
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum.accumulate(scaled[::-1])[::-1].clip(max=1)
    return adjusted


def _units() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    rows = []
    for patient in range(40):
        y = int(patient < 18)
        for level in range(int(rng.integers(1, 5))):
            rows.append((f"sub-{patient:02d}_L{level + 1}", f"sub-{patient:02d}", y))
    return pd.DataFrame(rows, columns=["unit", "subject_id", "y"])


def validation() -> Result:
    """Three models; the second is the best one."""
    rng = np.random.default_rng(11)
    units = _units()
    strengths = {
        ("covariates", "elastic_net"): 0.3,
        ("texture", "elastic_net"): 1.3,
        ("combined", "elastic_net"): 1.2,
    }
    tables: dict[str, list[pd.DataFrame]] = {
        name: [] for name in ("metrics", "predictions", "roc", "calibration", "selection")
    }
    for (features, model), strength in strengths.items():
        head = {"feature_set": features, "model": model}
        auc = {0.3: 0.571, 1.3: 0.8123, 1.2: 0.794}[strength]
        tables["metrics"].append(_metrics(auc).assign(**head))
        for repeat in (1, 2, 3):
            score = strength * units["y"] + rng.normal(0, 1, len(units)) - strength / 2
            probability = 1 / (1 + np.exp(-1.4 * score))
            tables["predictions"].append(
                units.assign(
                    **head,
                    repeat=repeat,
                    fold=1,
                    probability=probability,
                    threshold=0.5,
                    decision=(probability >= 0.5).astype(int),
                )
            )
        fpr = np.linspace(0, 1, 51)
        tpr = fpr ** (1 / (1 + 2.2 * strength))
        band = 0.12 * np.sin(np.pi * fpr)
        tables["roc"].append(
            pd.DataFrame(
                {
                    "fpr": fpr,
                    "tpr": tpr,
                    "tpr_low": (tpr - band).clip(0, 1),
                    "tpr_high": (tpr + band).clip(0, 1),
                }
            ).assign(**head)
        )
        x = np.array([0.12, 0.31, 0.5, 0.68, 0.89])
        observed = np.array([0.2, 0.35, 0.47, 0.6, 0.78])
        tables["calibration"].append(
            pd.DataFrame(
                {
                    "predicted_mean": x,
                    "observed": observed,
                    "ci_low": observed - 0.13,
                    "ci_high": observed + 0.13,
                    "n": 19,
                }
            ).assign(**head)
        )
        names = feature_names()[4:24]
        tables["selection"].append(
            pd.DataFrame(
                {
                    "feature": names,
                    "frequency": np.linspace(0.98, 0.05, len(names)),
                    "mean_coefficient": rng.normal(0, 0.5, len(names)),
                    "sign_consistency": 1.0,
                }
            ).assign(**head)
        )
    spec = {
        "runs": [
            {
                "feature_set": features,
                "n_features": 182,
                "covariates": [],
                "model": {"name": model, "grid": {"C": [0.01, 0.1, 1.0]}},
                "validation": {
                    "outer_folds": 5,
                    "inner_folds": 4,
                    "repeats": 3,
                    "seed": 20,
                    "threshold": "youden",
                },
            }
            for features, model in strengths
        ]
    }
    return Result(
        "validation", {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}, spec
    )


def _metrics(auc: float) -> pd.DataFrame:
    rows = {
        "auc": (auc, auc - 0.09, auc + 0.07),
        "pr_auc": (0.74, 0.6, 0.84),
        "sensitivity": (0.7317, 0.58, 0.85),
        "specificity": (0.7547, 0.62, 0.86),
        "ppv": (0.698, 0.55, 0.82),
        "npv": (0.784, 0.65, 0.88),
        "brier": (0.187, 0.15, 0.23),
        "brier_scaled": (0.24, 0.08, 0.38),
        "calibration_intercept": (-0.06, -0.5, 0.4),
        "calibration_slope": (0.71, 0.42, 1.0),
        "auc_patient": (0.83, 0.7, 0.92),
    }
    table = pd.DataFrame(
        [(name, *values) for name, values in rows.items()],
        columns=["metric", "estimate", "ci_low", "ci_high"],
    )
    return table.assign(n=97, n_subjects=40, note="median of 3 repeats")


def values() -> Result:
    """Values of the six clearest features."""
    rng = np.random.default_rng(5)
    units = _units()
    features = association().frame("features").sort_values("p_value")["feature"].head(6)
    parts = [
        pd.DataFrame(
            {
                "unit": units["unit"],
                "subject_id": units["subject_id"],
                "class": np.where(units["y"] == 1, "metastatic", "osteoporotic"),
                "feature": name,
                "value": rng.normal(10, 2, len(units)) + 2 * units["y"],
            }
        )
        for name in features
    ]
    return Result("values", {"top": pd.concat(parts, ignore_index=True)})


def study(synthetic: bool = True) -> Result:
    """The study."""
    return Result(
        "study",
        {
            "settings": pd.DataFrame(
                {"setting": ["outcome.column", "validation.repeats"], "value": ["diagnosis", "3"]}
            )
        },
        {
            "title": "Osteoporotic or metastatic: texture of collapsed vertebrae",
            "question": "Do radiomic features of a collapsed vertebra on CT and T1 separate "
            "metastatic from osteoporotic fractures?",
            "outcome": "diagnosis",
            "positive": "metastatic",
            "negative": "osteoporotic",
            "unit": "vertebra",
            "synthetic": synthetic,
            "choices": {
                "primary endpoint": "AUC of the texture model",
                "threshold": "Youden, inner folds",
                "fdr": 0.05,
            },
        },
    )


def flow() -> Result:
    """Four steps, losses in three."""
    table = pd.DataFrame(
        [
            ("images listed", "scans", 82, 2, "geometry of image and mask differs"),
            ("vertebrae in the masks", "vertebra x sequence", 640, 430, "not named in the clinical table"),
            ("features computed", "vertebra x sequence", 210, 6, "failed"),
            ("vertebrae with features", "vertebrae", 101, 3, "no usable outcome"),
            ("vertebrae with features", "vertebrae", 101, 1, "both classes recorded for one level"),
            ("vertebrae analysed", "vertebrae", 97, 0, ""),
            ("patients analysed", "patients", 40, 0, ""),
        ],
        columns=["step", "unit", "entered", "left", "reason"],
    )
    excluded = pd.DataFrame(
        {
            "unit": [f"sub-{k:02d}_T9" for k in range(10)],
            "subject_id": [f"sub-{k:02d}" for k in range(10)],
            "level": "T9",
            "sequence": ["CT", "T1"] * 5,
            "code": ["RV403"] * 4 + ["RV301"] * 6,
            "reason": ["outcome is empty"] * 4 + ["region is too small for texture features"] * 6,
        }
    )
    unmatched = pd.DataFrame(
        {"subject_id": ["sub-77"], "level": ["L3"], "diagnosis": ["metastatic"], "line": [78]}
    )
    unlabelled = pd.DataFrame({"case_id": [f"sub-{k:02d}_CT_T{j}" for k in range(5) for j in range(1, 8)]})
    return Result(
        "flow", {"flow": table, "excluded": excluded, "unmatched": unmatched, "unlabelled": unlabelled}
    )


def quality() -> Result:
    """Two sequences; one scan with a warning, one refused."""
    rng = np.random.default_rng(4)
    levels = ["T11", "T12", "L1", "L2"] * 3
    cases = pd.DataFrame(
        {
            "scan_id": np.repeat(["sub-01_CT", "sub-02_CT", "sub-02_T1"], 4),
            "case_id": [f"case-{k}" for k in range(12)],
            "sequence": np.repeat(["CT", "CT", "T1"], 4),
            "level": levels,
            "volume_ml": rng.normal(40, 5, 12),
            "grey_levels": rng.integers(20, 60, 12),
            "hardware_share": [0.0] * 8 + [np.nan] * 4,
        }
    )
    scans = pd.DataFrame(
        {
            "scan_id": ["sub-01_CT", "sub-02_CT", "sub-02_T1", "sub-03_CT"],
            "verdict": ["ready", "ready with warnings", "ready", "refused"],
            "vertebrae": [4, 4, 4, 0],
            "unusable": 0,
            "codes": ["", "RV306", "", "RV201"],
            "why": ["", "Region touches the border of the image", "", "two grids"],
        }
    )
    spec = {"verdicts": {"ready": 2, "ready with warnings": 1, "refused": 1}, "pages": ""}
    return Result("quality", {"cases": cases, "scans": scans}, spec)


def extraction() -> Result:
    """Two sequences, failures, diagnostics."""
    rng = np.random.default_rng(2)
    summary = pd.DataFrame(
        {
            "sequence": ["CT", "T1"],
            "cases": [106, 104],
            "extracted": [103, 101],
            "failed": [3, 3],
            "features": [91, 91],
            "images": ["original, log-sigma-2-0-mm-3D, wavelet-LLH"] * 2,
        }
    )
    failures = pd.DataFrame(
        {
            "case_id": ["sub-03_CT_T12", "sub-09_T1_L5"],
            "subject_id": ["sub-03", "sub-09"],
            "session": "",
            "sequence": ["CT", "T1"],
            "rater": "",
            "site": "",
            "level": ["T12", "L5"],
            "label": [19, 24],
            "code": ["RV301", "RV201"],
            "title": ["Region is too small for texture features", "Image and mask do not share one geometry"],
            "expected": ["at least 200 voxels", "origin (0.0, 0.0, 0.0)"],
            "found": ["76 voxels", "origin (0.0, 0.0, 4.2)"],
            "where": ["mask label 19", "/home/someone/study/masks/sub-09_T1.nii.gz"],
            "remedy": [
                "exclude the fragment, or segment the whole vertebra",
                "resample the mask onto the image",
            ],
        }
    )
    diagnostics = pd.DataFrame(
        {
            "case_id": [f"c{k}" for k in range(204)],
            "voxels_before": rng.integers(900, 40000, 204),
            "grey_levels": rng.integers(18, 96, 204),
        }
    )
    spec = {
        "engine": "pyradiomics-cuda",
        "engine_version": "1.0.4",
        "parameters": {
            name: {
                "file": f"{name.lower()}.yaml",
                "digest": "ab12cd34ef56" * 5,
                "settings": {
                    "binWidth": width,
                    "resampledPixelSpacing": [1, 1, 1],
                    "interpolator": "sitkBSpline",
                },
            }
            for name, width in (("CT", 25), ("T1", 5))
        },
    }
    return Result("extraction", {"summary": summary, "failures": failures, "diagnostics": diagnostics}, spec)


def table_one() -> Result:
    """Age, sex, region."""
    rows = [
        ("patients", "", "patient", "n", "40", "22", "18", 0, np.nan),
        ("vertebrae", "", "vertebra", "n", "97", "58", "39", 0, np.nan),
        ("age", "", "patient", "median [Q1-Q3]", "71 [64-78]", "75 [69-80]", "66 [58-73]", 1, -0.82),
        ("sex", "F", "patient", "n (%)", "26 (65.0)", "16 (72.7)", "10 (55.6)", 0, -0.36),
        ("sex", "M", "patient", "n (%)", "14 (35.0)", "6 (27.3)", "8 (44.4)", 0, 0.36),
        ("level_region", "thoracic", "vertebra", "n (%)", "40 (42.6)", "22 (41.5)", "18 (43.9)", 0, 0.05),
        ("level_region", "lumbar", "vertebra", "n (%)", "54 (57.4)", "31 (58.5)", "23 (56.1)", 0, -0.05),
    ]
    columns = [
        "variable",
        "category",
        "unit",
        "statistic",
        "overall",
        "negative",
        "positive",
        "missing",
        "standardized_difference",
    ]
    return Result("table_one", {"table": pd.DataFrame(rows, columns=columns)})


def checks() -> Result:
    """One finding of each severity, worst last."""
    findings = pd.DataFrame(
        {
            "code": ["RV306", "RV505", "RV208"],
            "severity": ["note", "warning", "error"],
            "title": [
                "Region touches the border of the image",
                "Fewer events than candidate parameters support",
                "The same image or mask appears twice",
            ],
            "explanation": [
                "Part of the vertebra may be missing.",
                "39 events for 182 candidate features.",
                "Two rows name files with equal content.",
            ],
            "n_cases": [4, 0, 2],
            "cases": ["sub-01_CT_T1, sub-05_CT_T1", "", "sub-11_CT, sub-12_CT"],
            "remedy": [
                "Look at these cases.",
                "Read the model's figures with caution.",
                "Correct the file names.",
            ],
        }
    )
    return Result("checks", {"findings": findings})


def provenance() -> Result:
    """Versions, hashes, seeds."""
    spec = {
        "versions": {"python": "3.11.2", "numpy": "2.4.0", "pyradiomics-cuda": "1.0.4"},
        "hashes": {"images.csv": "9f" * 32, "clinical.csv": "0c" * 32},
        "git": "3f2a9c1d0b44",
        "seeds": {"validation": 20},
        "settings_digest": "7e" * 32,
    }
    return Result(
        "provenance", {"versions": pd.DataFrame({"package": ["numpy"], "version": ["2.4.0"]})}, spec
    )


def every_result(synthetic: bool = True, copies: int = 1) -> list[Result]:
    """All kinds of results of one study."""
    return [
        study(synthetic),
        flow(),
        checks(),
        quality(),
        extraction(),
        table_one(),
        association(copies),
        validation(),
        values(),
        provenance(),
    ]
