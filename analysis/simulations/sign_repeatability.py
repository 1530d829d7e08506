"""How well every sign bears another outline: ICC(2,1) under changes of the masks, on phantoms.

Writes `sign_repeatability.csv`. The phantoms are three columns of the sign tests with bodies of
different collapse, lesions, clefts and pits; masks are grown and shrunk by one voxel within the slice,
turned by 2 degrees, shifted by half a voxel and redrawn at random. Targets are the vertebrae. An ICC says how
well vertebrae as different as these are told apart, so it belongs to this mixture of vertebrae.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from radiomics_vert.imaging.perturbation import DEFAULT_PERTURBATIONS, perturb
from radiomics_vert.imaging.volumes import LabelMap
from radiomics_vert.signs import SignScan, measure_scan, registry
from radiomics_vert.statistics import icc
from radiomics_vert.storage import write_table

PHANTOMS = Path(__file__).resolve().parents[2] / "tests" / "signs"
TABLE = Path(__file__).with_name("sign_repeatability.csv")
SPACING = (1.5, 1.5, 1.5)
SHIFTS = ((0.0, 0.0, 0.0), (0.3, 0.6, 0.1), (0.75, 0.25, 0.5))  # of the grid, one per variant
SEQUENCES = ("CT", "T1", "STIR", "T1_CONTRAST", "FAT_FRACTION", "OPPOSED_PHASE", "ADC")
LEAST_TARGETS = 6
"""Of an ICC; a sign that fewer vertebrae have is listed without one."""


def perturbed(scan: SignScan, name: str, seed: int = 0) -> SignScan:
    """Return a scan with all its vertebrae outlined otherwise; bodies are parted from the new outlines."""
    volume = sitk.GetImageFromArray(scan.labels)
    volume.SetSpacing([float(step) for step in reversed(scan.spacing)])
    cases = {label: scan.case_id(label) for label in scan.levels}
    labels = perturb(LabelMap(volume, scan.scan_id), name, cases, seed=seed).array()
    if scan.body is None:
        return replace(scan, labels=labels)
    # The outline of the body is changed in the same way: it is a reader's work as well.
    bodies = sitk.GetImageFromArray(np.where(scan.body, scan.labels, 0).astype(scan.labels.dtype))
    bodies.CopyInformation(volume)
    body = perturb(LabelMap(bodies, scan.scan_id), name, cases, seed=seed).array() > 0
    return replace(scan, labels=labels, body=body & (labels > 0))


def readings(sequence: str, scans: Sequence[SignScan], names: Sequence[str]) -> Iterator[np.ndarray]:
    """Yield, per scan, an array of vertebrae x perturbations x signs."""
    for number, scan in enumerate(scans):
        tables = [
            measure_scan(perturbed(scan, name, seed=number), sequence).values[list(registry())]
            for name in names
        ]
        yield np.stack([frame.to_numpy(float) for frame in tables], axis=1)


def table(
    names: Sequence[str] = DEFAULT_PERTURBATIONS,
    sequences: Sequence[str] = SEQUENCES,
) -> pd.DataFrame:
    """Return, per sign and its first sequence: targets, ICC(2,1) with interval, and the typical change."""
    if str(PHANTOMS) not in sys.path:
        sys.path.insert(0, str(PHANTOMS))
    from whole_phantom import whole_scan

    rows, done = [], set()
    for sequence in sequences:
        scans = [whole_scan(sequence, SPACING, shift, variant) for variant, shift in enumerate(SHIFTS)]
        values = np.concatenate(list(readings(sequence, scans, names)))
        for place, (name, sign) in enumerate(registry().items()):
            if sequence not in sign.sequences or name in done or sign.scope == "scan":
                continue
            done.add(name)
            rows.append((name, sequence, *_summary(values[:, :, place])))
    columns = ["sign", "sequence", "vertebrae", "icc", "ci_low", "ci_high", "change", "lost"]
    order = {name: place for place, name in enumerate(registry())}
    found = pd.DataFrame(rows, columns=columns).round(3)
    return found.sort_values("sign", key=lambda names: names.map(order)).reset_index(drop=True)


def _summary(values: np.ndarray) -> tuple[float, ...]:
    """Return targets, ICC(2,1), limits, median absolute change, and the share of values that get lost."""
    known = np.isfinite(values[:, 0])
    complete = np.isfinite(values).all(axis=1)
    lost = float(1 - np.isfinite(values[known]).mean()) if known.any() else np.nan
    own = values[complete]
    change = float(np.median(np.abs(own[:, 1:] - own[:, :1]))) if len(own) else np.nan
    if len(own) < LEAST_TARGETS or np.ptp(own) == 0:
        return len(own), np.nan, np.nan, np.nan, change, lost
    found = icc(own[:, :, None])["ICC(2,1)"]
    limits = (float(found.estimate[0]), float(found.ci_low[0]), float(found.ci_high[0]))
    return len(own), *limits, change, lost


if __name__ == "__main__":
    write_table(table(), TABLE)
