"""Small CT phantoms with vertebrae of known size, and a bright stone in the patient's left side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

SPACING = (1.5, 2.0, 2.5)  # left-right, front-back, feet-head
SIZE = (41, 37, 66)
LEVELS = {20: "L1", 21: "L2", 22: "L3", 23: "L4"}  # numbers of VerSe
FIRST = {label: 50 - 14 * k for k, label in enumerate(LEVELS)}
VOXELS = 16 * 13 * 10
VOLUME_ML = VOXELS * 7.5 / 1000
STONE = (34, 8)  # voxels from the right and from the front: left and in front


def spine(seed: int = 0, **odd) -> tuple[sitk.Image, sitk.Image]:
    """Return a CT and its mask: a body of fat, four blocks of bone of 15.6 ml, 35 mm apart.

    Parameters
    ----------
    seed : int
        Of the noise.
    **odd
        `metal`: share of L3 above 1500 HU; `gas`: voxels of L2 below -200 HU; `shift`: added to all values;
        `missing`: label that the mask does not have.
    """
    rng = np.random.default_rng(seed)
    image = np.full(SIZE[::-1], -1000.0)
    image[:, 3:-3, 3:-3] = -90
    image[:, STONE[1] - 2 : STONE[1] + 3, STONE[0] - 2 : STONE[0] + 3] = 900
    mask = np.zeros(image.shape, dtype=np.uint8)
    for label, z in FIRST.items():
        block = slice(z, z + 10), slice(12, 25), slice(12, 28)
        mask[block] = label
        image[block] = 250 + rng.normal(0, 90, (10, 13, 16))
    inside = np.argwhere(mask == 22)
    for place in inside[: round(odd.get("metal", 0) * len(inside))]:
        image[tuple(place)] = 2500
    for place in np.argwhere(mask == 21)[: odd.get("gas", 0)]:
        image[tuple(place)] = -500
    image += odd.get("shift", 0)
    mask[mask == odd.get("missing", 0)] = 0
    volumes = []
    for array in (image.round().astype(np.int16), mask):
        volume = sitk.GetImageFromArray(array)
        volume.SetSpacing(SPACING)
        volumes.append(volume)
    return volumes[0], volumes[1]


def write_spines(folder: Path, **scans: dict[str, float]) -> Path:
    """Write scans by patient, and their image table; a patient with `cut` has a mask of other size."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["subject_id,sequence,image,mask"]
    for number, (patient, odd) in enumerate(scans.items()):
        image, mask = spine(number, **{name: value for name, value in odd.items() if name != "cut"})
        sitk.WriteImage(image, str(folder / f"{patient}.nii.gz"))
        sitk.WriteImage(mask[:, :, 1:] if "cut" in odd else mask, str(folder / f"{patient}_mask.nii.gz"))
        lines.append(f"{patient},CT,{patient}.nii.gz,{patient}_mask.nii.gz")
    (folder / "images.csv").write_text("\n".join(lines) + "\n")
    return folder / "images.csv"
