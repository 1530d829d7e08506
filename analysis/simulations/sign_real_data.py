"""Signs on real masks: every table and figure of docs/signs_real_data.md.

python analysis/simulations/sign_real_data.py DATA    DATA is the folder of the test data (../shared/data)
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from radiomics_vert.cohort import Case, Refusal, Scan, examine_scan, load_scheme
from radiomics_vert.signs import ScanSigns, Spine, load_sign_scan, measure_spine, prepare_spine
from radiomics_vert.signs.outline import U

PLACES = {"anterior": (0.15, "ha_mm"), "middle": (0.50, "hm_mm"), "posterior": (0.85, "hp_mm")}
LOSSES = ["loss_a", "loss_m", "loss_p"]
REPORT = Path("ct_totalsegmentator", "spine_report")


# Which scans ---------------------------------------------------------------------------------------------


def totalsegmentator_ct(data: Path) -> Scan:
    """Return the CT of 3 mm with the masks of vertebrae and of bodies."""
    image, masks = data / "ct_totalsegmentator" / "example_ct.nii.gz", data / REPORT
    scheme = load_scheme("totalsegmentator")
    bodies = masks / "totalseg_vertebrae_body.nii.gz"
    return Scan("ct", "ct", "CT", image, masks / "totalseg.nii.gz", scheme, bodies)


def verse_ct(data: Path) -> Scan:
    """Return the oblique CT VerSe014."""
    image, mask = (data / "ct_verse014" / f"sub-verse014_{name}.nii.gz" for name in ("ct", "seg-vert_msk"))
    return Scan("verse014", "verse014", "CT", image, mask, load_scheme("verse"))


def lumbar_exams(data: Path) -> list[Scan]:
    """Return the twelve MRI exams. Whatever was weighted, all are called T2: shapes do not depend on it."""
    exams = []
    for image in sorted((data / "vb_mri").glob("*/*_image.nii.gz")):
        name, _ = image.name.split("_image")
        mask = image.with_name(f"{name}_vertebrae.nii.gz")
        exams.append(Scan(name, name, "T2", image, mask, load_scheme("instances")))
    return exams


def spine_of(scan: Scan) -> Spine:
    """Return a scan made ready for the signs; a refused one is an error."""
    cases, refused = examine_scan(scan)
    if refused:
        raise ValueError(f"{scan.subject_id} is refused: {refused[0].problem.code}")
    return _prepared(scan, cases)


def _prepared(scan: Scan, cases: tuple[Case, ...]) -> Spine:
    return prepare_spine(load_sign_scan(cases), scan.sequence)


# Beside an independent report ----------------------------------------------------------------------------


def told_by_the_report(data: Path) -> dict[str, float]:
    """Return what `totalseg_spine_report` says of the CT."""
    found = json.loads((data / REPORT / "spine_report.json").read_text("utf-8"))["results"]
    assert isinstance(found, dict)
    return found


def beside_the_report(data: Path) -> pd.DataFrame:
    """Return one row per vertebra and place: our height, that at the report's place, and the report's."""
    told, spine = told_by_the_report(data), spine_of(totalsegmentator_ct(data))
    values = measure_spine(spine).values.set_index("level")
    rows = []
    for vertebra in spine.framed():
        signs, name = values.loc[vertebra.name], vertebra.name
        profile = spine.outlines[vertebra.label].heights()
        for place, (u, sign) in PLACES.items():
            ours = {"sign": signs[sign], "at its place": np.interp(u, U, profile)}
            theirs = told[f"vertebrae_{name}_height_{place}_mm"]
            rows.append({"level": name, "place": place, **ours, "report": theirs})
        hu = {"sign": signs["hu_tb"], "report": told[f"vertebrae_{name}_intensity_median"]}
        rows.append({"level": name, "place": "HU", **hu})
    return pd.DataFrame(rows)


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Return smallest and largest difference from the report, ours less its, by place."""
    beside = table[["sign", "at its place"]].sub(table["report"], axis=0)
    return beside.groupby(table["place"], sort=False).agg(["min", "max"])


def both_masks(data: Path) -> pd.DataFrame:
    """Return ratios and losses of the CT with the mask of bodies, without it, and by the report."""
    scan, told = totalsegmentator_ct(data), told_by_the_report(data)
    read = {"body mask": scan, "whole label": replace(scan, subregions=None)}
    parts = [_shapes(measure_spine(spine_of(one)), mask) for mask, one in read.items()]
    levels = parts[0]["level"].tolist()
    return pd.concat([*parts, pd.DataFrame([_reported(told, level) for level in levels])], ignore_index=True)


def _shapes(found: ScanSigns, read: str) -> pd.DataFrame:
    columns = ["level", "ratio_ap", "ratio_mp", *LOSSES, "genant_grade"]
    return found.values.loc[found.values["ha_mm"].notna(), columns].assign(read=read)


def _reported(told: dict[str, float], level: str) -> dict[str, object]:
    front, middle, back = (told[f"vertebrae_{level}_height_{place}_mm"] for place in PLACES)
    return {"level": level, "ratio_ap": front / back, "ratio_mp": middle / back, "read": "report"}


# Other masks ---------------------------------------------------------------------------------------------


def verse(data: Path) -> pd.DataFrame:
    """Return grade, losses and retropulsion of the levels of VerSe014."""
    values = measure_spine(spine_of(verse_ct(data))).values
    return values[["level", "genant_grade", *LOSSES, "retropulsion_mm"]]


def lumbar(data: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Return one row per MRI exam, and the retropulsion of all vertebrae of exams that are counted.

    An exam whose image is that of another before it is marked, and not counted a second time.
    """
    rows, values, seen = [], [], dict[str, str]()
    for scan in lumbar_exams(data):
        cases, refused = examine_scan(scan)
        if not cases:
            rows.append(_refused(scan, refused))
            continue
        spine = _prepared(scan, cases)
        found = measure_spine(spine)
        first = seen.setdefault(cases[0].scan.image_digest, scan.subject_id)
        counted = first == scan.subject_id
        rows.append(_exam(scan, spine, found) | {"note": "" if counted else f"same image as {first}"})
        if counted:
            values.append(found.values["retropulsion_mm"].dropna())
    return pd.DataFrame(rows), pd.concat(values)


def _refused(scan: Scan, refused: tuple[Refusal, ...]) -> dict[str, object]:
    return {"exam": scan.subject_id, "note": f"refused: {refused[0].problem.code}"}


def _exam(scan: Scan, spine: Spine, found: ScanSigns) -> dict[str, object]:
    frames = found.facts["frame"].value_counts()
    codes = [vertebra.problem.code for vertebra in spine.vertebrae if vertebra.problem is not None]
    doubts = found.facts.loc[found.facts["frame"] == "doubtful", "flags"]
    moved = found.values["retropulsion_mm"].dropna()
    return {
        "exam": scan.subject_id,
        "labels": len(found.facts),
        **{name: frames.get(name, 0) for name in ("good", "doubtful", "none")},
        "why": "; ".join([f"{code} x{count}" for code, count in Counter(codes).items()] + list(doubts)),
        "retropulsion": len(moved),
        **{name: getattr(moved, name)() for name in ("min", "median", "max")},
    }


# All of it -----------------------------------------------------------------------------------------------


def show(title: str, table: pd.DataFrame) -> None:
    """Print a table under its title."""
    cells = table.convert_dtypes().astype(object).map(_cell)
    print(f"\n{title}\n{cells.to_string(index=table.index.name is not None)}")


def _cell(value: object) -> str:
    if pd.isna(value):
        return ""
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def main(data: Path) -> None:
    """Print everything that the page quotes."""
    heights = beside_the_report(data)
    show("ct_totalsegmentator: heights in mm, HU", heights)
    show("ours less the report's", differences(heights))
    show("ct_totalsegmentator: ratios of heights and losses", both_masks(data))
    show("VerSe014", verse(data))
    exams, moved = lumbar(data)
    show("lumbar MRI", exams)
    counted = exams[exams["note"] == ""]
    frames = counted[["labels", "good", "doubtful", "none"]].sum().astype(int)
    print(f"\n{len(counted)} of {len(exams)} exams counted; {frames.to_dict()}")
    low, middle, high = moved.quantile([0, 0.5, 1])
    print(f"retropulsion of {len(moved)}: {low:.1f} to {high:.1f} mm, median {middle:.1f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
