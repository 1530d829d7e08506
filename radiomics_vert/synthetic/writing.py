"""Write a synthetic cohort: images, masks, manifest, clinical table, truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import SimpleITK as sitk

from radiomics_vert.cohort.schemes import load_scheme
from radiomics_vert.parallel import Progress, run
from radiomics_vert.storage import atomic, read_json, write_json, write_table, write_text
from radiomics_vert.synthetic.anatomy import stack
from radiomics_vert.synthetic.drawing import draw_patient, stream
from radiomics_vert.synthetic.mri import modality
from radiomics_vert.synthetic.nouns import Patient
from radiomics_vert.synthetic.rendering import Codes, field_of_view, render
from radiomics_vert.synthetic.scene import Grid, Scene
from radiomics_vert.synthetic.spec import RELEASE, SEQUENCES, SyntheticSpec
from radiomics_vert.synthetic.tissue import build_fields

VERTEBRA_SCHEME, SUBREGION_SCHEME = "verse", "spineps_subregions"
MADE_FILE = "made.json"
"""What a cohort was made from; written last, so that a cohort without it is not whole."""
SCHEME_FILE = "scheme.yaml"
"""The label scheme of a cohort's vertebra masks, beside its tables."""
_SCHEME = """\
# Vertebrae and discs are numbered as by the scheme `verse`; muscle and tissue beside the spine are our own.
title: Synthetic cohort
source: radiomics_vert.synthetic
region: vertebra
vertebrae:
  T1-T12: 8-19
  L1-L6: 20-25
structures:
  muscle: 150
  paravertebral: 151
discs:
  T1-T12: 108-119
  L1-L6: 120-125
body: 49-50
"""
_DEFAULT = SyntheticSpec()


def make_cohort(
    folder: Path,
    spec: SyntheticSpec = _DEFAULT,
    *,
    only: Sequence[int] | None = None,
    n_jobs: int = 1,
    progress: Progress | None = None,
) -> Path:
    """Make a cohort of synthetic patients whose truth is known.

    Parameters
    ----------
    folder : Path
        Where to write; made when missing, files of the same name are replaced.
    spec : SyntheticSpec, optional
        Number of patients, seed, shares.
    only : sequence of int, optional
        Positions of the patients to make, from 0; all by default.
    n_jobs : int, default 1
        Workers; the files do not depend on it.
    progress : callable, optional
        Called with (done, total) after each patient.

    Returns
    -------
    Path
        `folder`, now with `images/`, `images.csv` (one row per scan), `scheme.yaml` (what the numbers in
        the masks mean), `clinical.csv` (one row per fractured vertebra), `truth.csv` (one row per
        vertebra, all that the generator set) and `made.json` (the settings).

    Examples
    --------
    >>> import tempfile
    >>> folder = make_cohort(Path(tempfile.mkdtemp()), SyntheticSpec(patients=1, sequences=("T1",)))
    >>> sorted(path.name for path in folder.iterdir())
    ['clinical.csv', 'images', 'images.csv', 'made.json', 'scheme.yaml', 'truth.csv']
    """
    folder = Path(folder)
    write_text(folder / SCHEME_FILE, _SCHEME)
    chosen = range(spec.patients) if only is None else only
    patients = [draw_patient(spec, index) for index in chosen]
    scans = run(partial(_write_patient, folder, spec), patients, n_jobs=n_jobs, progress=progress)
    write_table(pd.DataFrame([row for rows in scans for row in rows]), folder / "images.csv")
    truth = pd.DataFrame([row for patient in patients for row in patient.rows()])
    write_table(truth, folder / "truth.csv")
    columns = ["subject_id", "level", "diagnosis", "age", "sex", "genant_grade"]
    write_table(truth.loc[truth["fractured"], columns], folder / "clinical.csv")
    write_json(folder / MADE_FILE, _made_from(spec) | ({} if only is None else {"only": list(only)}))
    return folder


def is_made(folder: Path, spec: SyntheticSpec = _DEFAULT) -> bool:
    """Tell whether a folder holds the whole cohort that this version makes from these settings."""
    made = folder / MADE_FILE
    try:
        return bool(read_json(made) == _made_from(spec))
    except (OSError, ValueError):
        return False


def _made_from(spec: SyntheticSpec) -> dict[str, Any]:
    return {"release": RELEASE, **asdict(spec), "sequences": list(spec.sequences)}


def build_scene(spec: SyntheticSpec, patient: Patient) -> Scene:
    """Place a patient's vertebrae in space and fill them.

    Parameters
    ----------
    spec : SyntheticSpec
        Gives the seed.
    patient : Patient
        Gives the vertebrae.

    Returns
    -------
    Scene
        The same for every sequence.
    """
    rng = stream(spec, patient.index, 1)
    origin = rng.uniform((-25.0, -20.0, -400.0), (25.0, 60.0, -250.0))
    scoliosis = np.cumsum(rng.normal(0.0, 0.8, len(patient.vertebrae)))
    poses = stack(patient.vertebrae, origin, [float(angle) for angle in scoliosis - scoliosis.mean()])
    return Scene(patient.vertebrae, poses, [build_fields(vertebra, rng) for vertebra in patient.vertebrae])


def _write_patient(folder: Path, spec: SyntheticSpec, patient: Patient) -> list[dict[str, object]]:
    scene = build_scene(spec, patient)
    return [_write_scan(folder, spec, patient, scene, sequence) for sequence in spec.sequences]


def _write_scan(
    folder: Path, spec: SyntheticSpec, patient: Patient, scene: Scene, sequence: str
) -> dict[str, object]:
    # The patient lies in either scanner once; noise is new in every sequence.
    rng = stream(spec, patient.index, 2, int(sequence != "CT"))
    scanner = modality(sequence, patient, rng)
    grid = field_of_view(scene, scanner, _tilt(rng))
    noise = stream(spec, patient.index, 3, SEQUENCES.index(sequence))
    codes = Codes(load_scheme(folder / SCHEME_FILE), load_scheme(SUBREGION_SCHEME))
    names = {
        "image": f"images/{patient.subject_id}_{sequence}.nii.gz",
        "mask": f"images/{patient.subject_id}_{sequence}_mask.nii.gz",
        "subregions": f"images/{patient.subject_id}_{sequence}_subregions.nii.gz",
    }
    for name, voxels in zip(names.values(), render(scene, scanner, grid, codes, noise), strict=True):
        write_volume(voxels, grid, folder / name)
    return {
        "subject_id": patient.subject_id,
        "sequence": sequence,
        "image": names["image"],
        "mask": names["mask"],
        "scheme": SCHEME_FILE,
        "subregions": names["subregions"],
        "site": patient.site,
        **scanner.facts,
    }


def _tilt(rng: np.random.Generator) -> np.ndarray:
    """Return a rotation by a few degrees about each axis: patients do not lie straight."""
    rotation = np.eye(3)
    for first, angle in enumerate(np.radians(rng.uniform(-6.0, 6.0, 3))):
        plane = np.ix_([first, (first + 1) % 3], [first, (first + 1) % 3])
        step = np.eye(3)
        step[plane] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        rotation = rotation @ step
    return rotation


def write_volume(voxels: np.ndarray, grid: Grid, path: Path) -> None:
    """Write an array as NIfTI, lightly compressed, whole or not at all.

    Parameters
    ----------
    voxels : ndarray, shape (k, j, i)
        Of an integer type.
    grid : Grid
        Where the voxels are.
    path : Path
        Ending `.nii.gz`.
    """
    volume = sitk.GetImageFromArray(voxels)
    volume.SetSpacing(grid.spacing)
    volume.SetOrigin([float(value) for value in grid.origin])
    volume.SetDirection([float(value) for value in grid.direction.ravel()])
    with atomic(path) as temporary:
        sitk.WriteImage(volume, str(temporary), useCompression=True, compressionLevel=1)
