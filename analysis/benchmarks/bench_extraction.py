"""Measure extraction against stock pyradiomics, side by side in one run, on one whole-spine-sized CT.

Run `make bench`, or this file with `--help`. What is measured is explained in README.md beside it.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import radiomics
from radiomics import featureextractor

from radiomics_vert.cohort import Case, Cohort, read_cohort
from radiomics_vert.extraction import IDENTITY, ExtractionParams, FeatureTable, extract
from radiomics_vert.extraction.parity import relative_difference
from radiomics_vert.parallel import available_cores
from radiomics_vert.synthetic import whole_spine_ct

CLASSES = dict.fromkeys(("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"))
IMAGES: dict[str, dict[str, Any]] = {
    "original": {"Original": {}},
    "LoG 1, 2, 3 mm + wavelet": {"LoG": {"sigma": [1.0, 2.0, 3.0]}, "Wavelet": {}},
}
COLUMNS = (
    "images", "engine", "cores", "vertebrae", "measured", "seconds", "s per vertebra", "times faster",
    "values", "largest rel. difference",
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """One row group of the table: which images, and how many labels stock pyradiomics is run on."""

    name: str
    stock_labels: int | None
    repeats: int

    @property
    def content(self) -> dict[str, Any]:
        """The parameter file's content."""
        return {"imageType": IMAGES[self.name], "featureClass": CLASSES, "setting": {"binWidth": 25}}


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the CT, measure, and print the table."""
    options = _options(arguments)
    radiomics.setVerbosity(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        cohort = _cohort(Path(folder), tuple(options.shape))
        rows: list[dict[str, Any]] = []
        for setting in (
            Setting("original", options.stock_labels, 3),
            Setting("LoG 1, 2, 3 mm + wavelet", options.stock_filtered_labels, 1),
        ):
            rows += _measure(cohort, setting)
            print(_table(rows[-3:]), flush=True)
    print(
        "\nstock: RadiomicsFeatureExtractor.execute(image file, mask file, label), one call per label, with "
        f"ITK's default threads ({available_cores()} cores);\nseconds of stock = median per measured label x "
        "vertebrae. Ours: extract(), reading included; each worker uses one core."
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=(512, 512, 300), help="voxels x y z")
    parser.add_argument("--stock-labels", type=int, help="labels for stock, original images (all)")
    parser.add_argument("--stock-filtered-labels", type=int, default=1, help="the same, filtered images (1)")
    return parser.parse_args(arguments)


def _cohort(folder: Path, shape: tuple[int, int, int]) -> Cohort:
    image, mask = whole_spine_ct(folder, shape=shape, seed=0)
    manifest = folder / "images.csv"
    row = {"subject_id": "spine", "sequence": "CT", "image": image.name, "mask": mask.name}
    pd.DataFrame([row]).to_csv(manifest, index=False)
    seconds, cohort = _timed(lambda: read_cohort(manifest, scheme="verse"))
    sizes = [case.voxels for case in cohort.cases]
    print(
        f"CT {shape[0]} x {shape[1]} x {shape[2]}, {len(sizes)} vertebrae, {min(sizes)}-{max(sizes)} voxels; "
        f"read_cohort (checks and hashes, once per study): {seconds:.1f} s\n",
        flush=True,
    )
    return cohort


def _measure(cohort: Cohort, setting: Setting) -> list[dict[str, Any]]:
    params = ExtractionParams.from_mapping(setting.content)
    chosen = cohort.cases[: setting.stock_labels]
    stock = [_timed(lambda case=case: _stock(case, setting.content)) for case in chosen]
    per_label = statistics.median(seconds for seconds, _ in stock)
    reference = {case.case_id: found for case, (_, found) in zip(chosen, stock, strict=True)}
    count = len(cohort.cases)
    common = {"images": setting.name, "vertebrae": count}
    rows = [
        common
        | {
            "engine": "stock pyradiomics",
            "cores": available_cores(),
            "measured": f"{len(stock)} of {count}",
            "seconds": per_label * count,
        }
    ]
    for workers in (1, 2):
        runs = [_timed(lambda: extract(cohort, params, n_jobs=workers)) for _ in range(setting.repeats)]  # noqa: B023
        seconds = statistics.median(seconds for seconds, _ in runs)
        values, largest = _compare(runs[0][1], reference)
        rows.append(
            common
            | {
                "engine": "radiomics_vert",
                "cores": workers,
                "measured": f"{count} of {count}",
                "seconds": seconds,
                "times faster": per_label * count / seconds,
                "values": values,
                "largest rel. difference": largest,
            }
        )
    return [row | {"s per vertebra": row["seconds"] / count} for row in rows]


def _timed(function: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    value = function()
    return time.perf_counter() - started, value


def _stock(case: Case, content: dict[str, Any]) -> dict[str, float]:
    """Extract one label from the files, as pyradiomics' users do."""
    extractor = featureextractor.RadiomicsFeatureExtractor(content)
    found = extractor.execute(str(case.scan.image), str(case.scan.mask), label=case.label)
    return {name: float(value) for name, value in found.items() if not name.startswith("diagnostics_")}


def _compare(table: FeatureTable, stock: dict[str, dict[str, float]]) -> tuple[int, float]:
    values = table.values.set_index("case_id").drop(columns=[name for name in IDENTITY if name != "case_id"])
    apart = [
        relative_difference(float(values.loc[case_id, name]), value)
        for case_id, features in stock.items()
        for name, value in features.items()
    ]
    return len(apart), max(apart)


def _table(rows: list[dict[str, Any]]) -> str:
    frame = pd.DataFrame(rows).reindex(columns=COLUMNS)
    formats: dict[str, Callable[[Any], str]] = {
        "seconds": "{:.2f}".format,
        "s per vertebra": "{:.3f}".format,
        "times faster": "{:.1f}".format,
        "values": "{:.0f}".format,
        "largest rel. difference": "{:.1e}".format,
    }
    for column, write in formats.items():
        frame[column] = ["" if pd.isna(value) else write(value) for value in frame[column]]
    return frame.to_string(index=False)


if __name__ == "__main__":
    main()
