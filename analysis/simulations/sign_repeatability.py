"""How well every sign bears another outline: ICC(2,1) under changes of the masks.

Writes `sign_repeatability.csv`. Masks are grown and shrunk by one voxel within the slice, turned by 2
degrees, shifted by half a voxel and redrawn at random. Targets are the vertebrae, or the scans where a sign
describes a scan. An ICC says how well targets as different as these are told apart, so it belongs to this
mixture of vertebrae; its interval takes them as independent, which those of one patient are not.

The targets are synthetic patients: of the first 400 of the default cohort those whose *truth* shows the most
of what `FINDINGS` lists, until each finding has 8 (CT) to 12 vertebrae or scans. No measured value takes part
in the choice. What the generator does not draw (`NOT_DRAWN`; fat and water, diffusion) is measured on the
columns of the sign tests. A row names its sequence: the first with an ICC, which needs `LEAST_TARGETS`
targets that differ.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk
from threadpoolctl import threadpool_limits

from radiomics_vert import SyntheticSpec, make_cohort, read_cohort
from radiomics_vert.cohort import Level
from radiomics_vert.imaging.perturbation import DEFAULT_PERTURBATIONS, perturb
from radiomics_vert.imaging.volumes import LabelMap
from radiomics_vert.signs import SignScan, load_sign_scan, measure_scan, registry
from radiomics_vert.signs.table import scan_works
from radiomics_vert.statistics import icc
from radiomics_vert.storage import write_table
from radiomics_vert.synthetic.drawing import draw_patient
from radiomics_vert.synthetic.effects import SIGNAL_SD, normal_density
from radiomics_vert.synthetic.nouns import Patient, Vertebra

PHANTOMS = Path(__file__).resolve().parents[2] / "tests" / "signs"
TABLE = Path(__file__).with_name("sign_repeatability.csv")
DRAWN = SyntheticSpec(patients=400)
WANTED: Mapping[str, int] = {"CT": 8, "T1": 10, "STIR": 12, "T1_CONTRAST": 12}
"""By sequence, vertebrae or scans that the choice seeks for a finding; CT takes most of the time."""
LEAST_TARGETS = 6
"""Below which no ICC is given."""
SITE_OF_FINE_VOXELS = "A"  # 1 mm slices; those of 2 mm show neither angles nor the edges of a line

Finding = Callable[[Patient], int]
"""How many targets of one patient show it."""
CALIBRATION = {"slope": 0.8, "intercept": -5.0}


def each(shows: Callable[[Vertebra], bool], site: str = "") -> Finding:
    """Count the vertebrae that show a finding, at one imaging site or all."""
    return lambda patient: sum(map(shows, patient.vertebrae)) if site in ("", patient.site) else 0


def unfractured(patient: Patient, first: Level = Level.T1, last: Level = Level.L6) -> int:
    """Count the unfractured vertebrae between two levels."""
    return sum(not v.fractured and first <= v.level <= last for v in patient.vertebrae)


# By sequence of the patients: what their truth must show for a sign to have a value that differs.
FINDINGS: Mapping[str, Mapping[str, Finding]] = {
    "CT": {
        "gas": each(lambda v: v.gas),
        "line": each(lambda v: v.line, SITE_OF_FINE_VOXELS),
        "bulging wall": each(lambda v: max(v.bulge, v.retropulsion) >= 3, SITE_OF_FINE_VOXELS),
        "depressed endplate": each(lambda v: v.fracture_type == "biconcave", SITE_OF_FINE_VOXELS),
        "narrowed canal": each(lambda v: max(v.bulge, v.retropulsion) >= 4),
        "mass on one side": each(lambda v: v.rim_side != 0),
        "thin rim": each(lambda v: v.rim > 0 and v.rim_side == 0),
        "destroyed cortex": each(lambda v: v.cortex_destroyed and v.lytic_fraction > 0.1),
        "blastic": each(lambda v: v.blastic_fraction > 0.05),
        "pit of an endplate": each(lambda v: v.schmorl_depth > 0),
        "scan with four unfractured levels": lambda patient: int(unfractured(patient) >= 4),
    },
    "T1": {
        "complete replacement": each(lambda v: v.t1_pattern == "complete"),
        "replacement in part": each(lambda v: v.t1_pattern in ("band", "lesion")),
        "band": each(lambda v: v.band),
        "pedicle": each(lambda v: v.pedicle_side != 0),
        "scan with three unfractured levels of L1 to L4": (
            lambda patient: int(unfractured(patient, Level.L1, Level.L4) >= 3)
        ),
    },
    "STIR": {"fluid": each(lambda v: v.fluid), "edema": each(lambda v: v.t1_pattern != "none")},
    "T1_CONTRAST": {"mass": each(lambda v: v.rim_side != 0), "necrosis": each(lambda v: v.necrosis > 0)},
}
NATIVE = {"T1_CONTRAST": "T1"}
# Sequences of the columns, their variants and shifts of the grid: what no patient is drawn with.
COLUMNS = ("STIR", "OPPOSED_PHASE", "FAT_FRACTION", "ADC")
SPACING = (1.5, 1.5, 1.5)
SHIFTS = ((0.0, 0.0, 0.0), (0.3, 0.6, 0.1), (0.75, 0.25, 0.5), (0.4, 0.1, 0.8))
# Signs of the patients' sequences that only the columns show, and why.
NOT_DRAWN: Mapping[str, str] = {
    "plana": "the largest height loss of a patient is 0.55; flat are bodies that lost 0.6",
    "edema_cr": "the patients' masks have a canal, but no cord",
    **dict.fromkeys(
        ("epi_lateral", "epi_angle_deg"), "few bulges narrow a patient's canal by the tenth that they need"
    ),
}
# Signs without an ICC and why; every other sign of the registry has one.
NOT_SHOWN: Mapping[str, str] = {
    **dict.fromkeys(
        ("fluid_linear", "fluid_triangular", "fluid_focal"),
        "all 12 clefts of the patients are linear under every mask; of 6 on the columns 2 or 3 stay found",
    ),
    "puzzle_index": "only 2 of 10 defects of the cortex are found under every mask; see `lost`",
    "vbq": "only 5 of 10 scans keep three unfractured levels of L1 to L4 under every mask",
}


def chosen(sequence: str) -> list[Patient]:
    """Return the patients of a sequence: each adds most to the findings that are short of vertebrae."""
    patients = [draw_patient(DRAWN, index) for index in range(DRAWN.patients)]
    counts = np.array([[count(patient) for count in FINDINGS[sequence].values()] for patient in patients])
    missing, taken = np.full(counts.shape[1], WANTED[sequence]), []
    while (missing > 0).any():
        gains = np.minimum(counts, missing).sum(axis=1)
        gains[taken] = 0
        if not gains.any():
            break
        taken.append(int(gains.argmax()))
        missing = np.maximum(missing - counts[taken[-1]], 0)
    return [patients[index] for index in sorted(taken)]


def patient_scans(folder: Path, sequence: str) -> Iterator[SignScan]:
    """Draw the chosen patients of a sequence and read them as a study does."""
    patients = chosen(sequence)
    native = (NATIVE[sequence],) if sequence in NATIVE else ()
    spec = replace(DRAWN, sequences=(sequence, *native))
    make_cohort(folder, spec, only=[patient.index for patient in patients])
    ages = {patient.subject_id: patient.age for patient in patients}
    cohort = read_cohort(folder / "images.csv", folder / "clinical.csv", region="body")
    for work in scan_works(cohort):
        if work.sequence == sequence:
            norm = {"hu": normal_density(ages[work.cases[0].scan.subject_id])}
            tables = {"calibration": CALIBRATION, "norm": norm}
            yield load_sign_scan(work.cases, work.companions, fractured=work.fractured, tables=tables)


def column_scans(sequence: str) -> Iterator[SignScan]:
    """Draw the columns of the sign tests as one sequence, marrow differing from vertebra to vertebra."""
    if str(PHANTOMS) not in sys.path:
        sys.path.insert(0, str(PHANTOMS))
    from whole_phantom import whole_scan

    for variant, shift in enumerate(SHIFTS):
        scan = whole_scan(sequence, SPACING, shift, variant, more=True)
        # The columns have one marrow; without this all normal vertebrae were one target.
        spread = np.random.default_rng(variant).normal(1, SIGNAL_SD, max(scan.levels) + 1)
        spread[0] = 1
        yield replace(scan, image=scan.image * spread[scan.labels].astype(np.float32))


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


def readings(sequence: str, scans: Iterator[SignScan], names: Sequence[str]) -> list[np.ndarray]:
    """Return, per scan, an array of vertebrae x perturbations x signs."""
    found = []
    for number, scan in enumerate(scans):
        tables = [
            measure_scan(perturbed(scan, name, seed=number), sequence).values[list(registry())]
            for name in names
        ]
        found.append(np.stack([frame.to_numpy(float) for frame in tables], axis=1))
    return found


def summaries(drawn: str, sequence: str, found: Sequence[np.ndarray]) -> pd.DataFrame:
    """Return a row for every sign of a sequence: targets, ICC(2,1) with limits, change, share lost."""
    rows = []
    for place, (name, sign) in enumerate(registry().items()):
        if sequence not in sign.sequences:
            continue
        # A sign of the scan stands in the row of each of its vertebrae.
        values = [scan[:1, :, place] if sign.scope == "scan" else scan[:, :, place] for scan in found]
        rows.append((name, sequence, drawn, sign.scope, *_summary(np.concatenate(values))))
    return pd.DataFrame(rows, columns=COLUMN_NAMES)


COLUMN_NAMES = ["sign", "sequence", "drawn", "target", "n", "icc", "ci_low", "ci_high", "change", "lost"]


def part(
    folder: Path, drawn: str, sequence: str, names: Sequence[str] = DEFAULT_PERTURBATIONS
) -> pd.DataFrame:
    """Return the rows of one sequence of the patients or the columns."""
    scans = patient_scans(folder, sequence) if drawn == "patients" else column_scans(sequence)
    with threadpool_limits(limits=1):
        return summaries(drawn, sequence, readings(sequence, scans, names))


def first(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return one row per sign: of the first part with an ICC; where there is none, of the first at all."""
    every = pd.concat(parts, ignore_index=True).round(3)
    order = {name: place for place, name in enumerate(registry())}
    every = every.assign(without=every["icc"].isna(), place=every["sign"].map(order))
    kept = every.sort_values(["place", "without"], kind="stable").drop_duplicates("sign")
    return kept.drop(columns=["without", "place"]).reset_index(drop=True)


def table(
    folder: Path, patients: Sequence[str] = tuple(FINDINGS), columns: Sequence[str] = COLUMNS
) -> pd.DataFrame:
    """Return, per sign and the first sequence that shows it, the ICC and the typical change."""
    drawn = [("patients", sequence) for sequence in patients] + [("columns", name) for name in columns]
    return first([part(folder / sequence, kind, sequence) for kind, sequence in drawn])


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
    write_table(table(Path(tempfile.mkdtemp())), TABLE)
