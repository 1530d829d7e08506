"""Real cases through the native engine and unmodified pyradiomics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import native_oracle as oracle
import numpy as np
import pytest
import SimpleITK as sitk

from radiomics_vert.extraction.features import quiet
from radiomics_vert.extraction.grid import tight_box
from radiomics_vert.extraction.native import discretise, shape_features, texture_features

CASES = [
    ("pyradiomics_samples/brain1_image.nrrd", "pyradiomics_samples/brain1_label.nrrd"),
    ("pyradiomics_samples/brain2_image.nrrd", "pyradiomics_samples/brain2_label.nrrd"),
    ("pyradiomics_samples/breast1_image.nrrd", "pyradiomics_samples/breast1_label.nrrd"),
    ("ct_verse014/sub-verse014_ct.nii.gz", "ct_verse014/sub-verse014_seg-vert_msk.nii.gz"),
    ("vb_mri/VB1/VB1_10_DzZ_T1_image.nii.gz", "vb_mri/VB1/VB1_10_DzZ_T1_vertebrae.nii.gz"),
]
SETTINGS: list[dict[str, Any]] = [
    {"binWidth": 25},
    {"binCount": 32, "force2D": True, "force2Ddimension": 0, "weightingNorm": "manhattan"},
]


@pytest.mark.data
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize(("image", "mask"), CASES)
def test_real_cases(real_data: Path, image: str, mask: str, settings: dict[str, Any]) -> None:
    volume, labels = (sitk.ReadImage(str(real_data / name)) for name in (image, mask))
    voxels, marked = sitk.GetArrayFromImage(volume), sitk.GetArrayFromImage(labels)
    spacing = np.array(volume.GetSpacing()[::-1])
    region = marked == min(label for label in np.unique(marked) if label > 0)
    box = tight_box(region)
    inside, kept = voxels[box], region[box]
    for name in (*oracle.TEXTURES, "shape"):
        stock = oracle.stock_features(name, inside, kept, spacing, settings)
        with quiet():
            if name == "shape":
                ours = shape_features(kept, spacing[::-1], ())
            else:
                levels = discretise(inside, kept, settings)
                ours = texture_features("original", levels, spacing, {name: ()}, settings)
        oracle.assert_equal(ours, stock)
