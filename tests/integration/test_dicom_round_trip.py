"""A scan as a DICOM series and as NIfTI gives the same features, and so does a mask as DICOM-SEG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from dicom_writing import write_series
from radiomics_vert.cohort import read_cohort
from radiomics_vert.extraction import builtin_params, extract


def scan(oblique: bool) -> tuple[sitk.Image, sitk.Image]:
    """An image of 17 x 18 x 19 voxels with a vertebra of texture, on a turned grid."""
    rng = np.random.default_rng(7)
    voxels = rng.normal(150, 60, (19, 18, 17)).round().astype(np.int16)
    mask = np.zeros(voxels.shape, dtype=np.uint8)
    mask[4:15, 3:14, 4:13] = 20
    image, labels = sitk.GetImageFromArray(voxels), sitk.GetImageFromArray(mask)
    turn = sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.1).GetMatrix() if oblique else np.eye(3).ravel()
    for volume in (image, labels):
        volume.SetSpacing((1.1, 1.3, 1.7))
        volume.SetOrigin((-31.0, 12.0, 400.0))
        volume.SetDirection([float(cosine) for cosine in turn])
    return image, labels


def test_nifti_and_dicom_give_identical_features(tmp_path: Path) -> None:
    image, labels = scan(oblique=True)
    sitk.WriteImage(image, tmp_path / "ct.nii.gz")
    sitk.WriteImage(labels, tmp_path / "mask.nii.gz")
    write_series(image, tmp_path / "series", modality="CT")
    rows = "A,CT,ct.nii.gz,mask.nii.gz\nB,CT,series,mask.nii.gz\n"
    (tmp_path / "images.csv").write_text(f"subject_id,sequence,image,mask\n{rows}", "utf-8")
    cohort = read_cohort(tmp_path / "images.csv", scheme="verse")
    assert not cohort.refused
    table = extract(cohort, builtin_params("ct"))
    assert not len(table.failures), table.failures["found"].tolist()
    of_nifti, of_dicom = (table.values[table.features].iloc[row] for row in (0, 1))
    assert len(table.features) > 1000
    # The header of NIfTI stores directions as 32-bit floats, DICOM as 16 digits: the grids differ by 1e-7.
    pd.testing.assert_series_equal(of_nifti, of_dicom, check_names=False, rtol=1e-6, atol=1e-9)
