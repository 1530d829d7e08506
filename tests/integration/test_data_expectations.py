"""Every folder of real files goes through `check` and gets the verdict that a person would give it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from radiomics_vert.imaging import read_image, read_label_map
from radiomics_vert.study import check_pair

TABLE = Path(__file__).with_name("data_expectations.csv")
with TABLE.open(encoding="utf-8", newline="") as stream:
    ROWS = list(csv.DictReader(stream))
FOLDERS_WITHOUT_PAIRS = {"radmlbench", "tables"}

pytestmark = pytest.mark.data


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['image']}-{row['mask']}-{row['scheme']}")
def test_check_gives_the_expected_verdict(real_data: Path, row: dict[str, str]) -> None:
    found = check_pair(
        real_data / row["image"], real_data / row["mask"], row["scheme"], sequence=row["sequence"]
    )
    codes = " ".join(sorted({finding.code for finding in found.findings}))
    assert (found.verdict, codes) == (row["verdict"], row["codes"]), row["why"]
    for finding in found.findings:
        assert str(real_data) not in finding.explanation
        assert finding.remedy


def test_every_folder_has_an_expectation(real_data: Path) -> None:
    named = {Path(row["image"]).parts[0] for row in ROWS} | FOLDERS_WITHOUT_PAIRS
    assert {path.name for path in real_data.iterdir() if path.is_dir()} <= named


def test_volumes_and_intensities_of_an_independent_report_are_reproduced(real_data: Path) -> None:
    """TotalSegmentator's spine report: volumes of its body masks, HU after its erosion by 4 mm.

    That erosion rounds to an off-centre block of 2 x 2 x 2 voxels of 3 mm in its code; the same block,
    anchored at the same corner, gives its numbers.
    """
    folder = real_data / "ct_totalsegmentator"
    told = json.loads((folder / "spine_report" / "spine_report.json").read_text("utf-8"))["results"]
    image = read_image(folder / "example_ct.nii.gz")
    mask = read_label_map(folder / "spine_report" / "totalseg_vertebrae_pp_refined.nii.gz")
    block = np.ones((2, 2, 2), dtype=bool)
    for label, level in enumerate(("L1", "L2", "L3", "L4", "L5"), 20):
        body = mask.array() == label
        inside = image.array()[ndimage.binary_erosion(body, block)]
        found = {
            "volume_ml": body.sum() * mask.geometry.voxel_volume / 1000,
            "intensity": inside.mean(),
            "intensity_median": np.median(inside),
        }
        for name, value in found.items():
            assert round(float(value), 2) == told[f"vertebrae_{level}_{name}"], (level, name)
