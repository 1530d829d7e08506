"""The benchmark of IBSI: its phantoms, its reference values, and how many of them a run meets.

`python tests/extraction/ibsi_reference.py FOLDER` writes `tests/golden/ibsi_counts.csv` again, from the
folder of the real test files.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import SimpleITK as sitk

from radiomics_vert.extraction import ExtractionParams
from radiomics_vert.extraction.engine import Volumes, compute_steps

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "ibsi_counts.csv"
_VALUES = Path("ibsi/reference_values_mirp/test/data/ibsi_1_reference_values")
_CT: dict[str, Any] = {"resampledPixelSpacing": [2, 2, 2], "interpolator": "sitkLinear"}

CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "digital phantom": ("ibsi_1_digital_phantom", "ibsi_1_dig_phantom", {"binWidth": 1}),
    "CT, configuration C": (
        "ibsi_1_ct_radiomics_phantom",
        "ibsi_1_chest_config_c",
        {**_CT, "binWidth": 25, "resegmentRange": [-1000, 400]},
    ),
    "CT, configuration D": (
        "ibsi_1_ct_radiomics_phantom",
        "ibsi_1_chest_config_d",
        {**_CT, "binCount": 32, "resegmentRange": [-3, 3], "resegmentMode": "sigma"},
    ),
}
"""Phantom, reference values, settings."""

_SLICES = {"force2D": True, "force2Ddimension": 0}
AGGREGATIONS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "3D_avg": ({}, {}),
    "3D_comb": ({"weightingNorm": "no_weighting"}, {}),
    "2_5D_avg": (_SLICES, {}),
    "2_5D_comb": ({**_SLICES, "weightingNorm": "no_weighting"}, {}),
    "2D_avg": (_SLICES, {"slices": "averaged"}),
    "2D_comb": ({**_SLICES, "weightingNorm": "no_weighting"}, {"slices": "averaged"}),
}
"""Settings and conventions of each way to aggregate."""

IBSI = {"base": "ibsi"}
ONE_OFF = [
    {"base": "ibsi", key: value}
    for key, value in (
        ("grid", "corner"),
        ("mask", "nearest"),
        ("rounding", "none"),
        ("bins", "zero"),
        ("kurtosis", "plain"),
        ("axes", "population"),
    )
]
"""IBSI with one convention left to pyradiomics."""


def codes() -> pd.DataFrame:
    """Return the map of feature names: feature, code, tag."""
    path = resources.files("radiomics_vert") / "extraction" / "ibsi_codes.csv"
    return pd.read_csv(str(path), dtype=str)


@cache
def volumes(data: Path, phantom: str) -> tuple[Volumes, tuple[int, ...]]:
    """Return a phantom and the box of its region."""
    folder = data / "ibsi" / phantom / "nifti"
    image = sitk.ReadImage(str(folder / "image" / "phantom.nii.gz"))
    mask = sitk.ReadImage(str(folder / "mask" / "mask.nii.gz"))
    found = [np.flatnonzero(sitk.GetArrayFromImage(mask).any(axis=axes)) for axes in ((0, 1), (0, 2), (1, 2))]
    box = tuple(int(value) for axis in found for value in (axis[0], axis[-1] + 1))
    return Volumes(image, mask), box


def features(
    data: Path, case: str, aggregation: str, conventions: Mapping[str, str], engine: str = "native"
) -> dict[str, float]:
    """Extract one case in one way."""
    phantom, _, settings = CASES[case]
    extra, more = AGGREGATIONS[aggregation]
    content = {
        "imageType": {"Original": {}},
        "setting": {**settings, **extra},
        "conventions": {**conventions, **more},
    }
    params = replace(ExtractionParams.from_mapping(content), engine=engine)
    loaded, box = volumes(data, phantom)
    found: dict[str, float] = {}
    for step, outcome in compute_steps(loaded, 1, box, params.steps(), case):
        assert outcome.problem is None, outcome.problem
        assert step.engine == engine
        found |= outcome.values
    return found


@cache
def reference(data: Path, case: str) -> pd.DataFrame:
    """Return the reference values of a case, without those that IBSI has not agreed on."""
    table = pd.read_csv(data / _VALUES / f"{CASES[case][1]}.csv", sep=";").dropna()
    return table.set_index("tag").set_axis(["value", "tolerance"], axis=1)


def compared(data: Path, case: str, aggregation: str, values: Mapping[str, float]) -> pd.DataFrame:
    """Set features beside reference values: feature, tag, ours, value, tolerance, within, within_unrounded.

    IBSI gives three significant digits, and so does `within` to ours before it compares.
    """
    table = codes()
    table["tag"] = [_tag(tag, aggregation) for tag in table["tag"]]
    table = table.join(reference(data, case), on="tag", how="inner")
    table["ours"] = [values[f"original_{feature}"] for feature in table["feature"]]
    rounded = table["ours"].map(lambda value: float(f"{value:.3g}"))
    for column, own in (("within", rounded), ("within_unrounded", table["ours"])):
        # The slack is for decimal fractions that have no exact binary form.
        slack = 1e-9 * table["value"].abs()
        table[column] = (own - table["value"]).abs() <= table["tolerance"] + slack
    return table


def _tag(tag: str, aggregation: str) -> str:
    family = tag.partition("_")[0]
    if family in ("cm", "rlm"):
        return f"{tag}_{aggregation}"
    return f"{tag}_{aggregation.rpartition('_')[0]}" if family in ("szm", "ngt", "ngl") else tag


def planned() -> list[tuple[str, str, dict[str, str], str]]:
    """Return the rows of the table: case, aggregation, conventions, engine."""
    rows: list[tuple[str, str, dict[str, str], str]] = []
    for case in CASES:
        flat = () if case.startswith("CT") else ("2_5D_avg", "2_5D_comb", "2D_avg", "2D_comb")
        for engine in ("native", "pyradiomics"):
            rows.append((case, "3D_avg", {}, engine))
            rows += [(case, way, IBSI, engine) for way in ("3D_avg", "3D_comb", *flat)]
        rows += [(case, "3D_avg", one, "native") for one in ONE_OFF]
    return rows


def counted(data: Path, case: str, aggregation: str, conventions: dict[str, str], engine: str) -> list[Any]:
    """Return one row of the table."""
    table = compared(data, case, aggregation, features(data, case, aggregation, conventions, engine))
    words = [value if key == "base" else f"{key}: {value}" for key, value in conventions.items()]
    own = [case, aggregation, " but ".join(words) or "pyradiomics", engine]
    # Rounded reference values without a tolerance (the digital phantom's) cannot be met unrounded.
    unrounded = "" if case == "digital phantom" else str(int(table["within_unrounded"].sum()))
    return [*own, len(table), int(table["within"].sum()), unrounded]


def counts(data: Path) -> pd.DataFrame:
    """Return the whole table."""
    names = ["case", "aggregation", "conventions", "engine", "defined_by_both", "within", "within_unrounded"]
    return pd.DataFrame([counted(data, *row) for row in planned()], columns=names)


if __name__ == "__main__":
    counts(Path(sys.argv[1])).to_csv(GOLDEN, index=False, lineterminator="\n")
