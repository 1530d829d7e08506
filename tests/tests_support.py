"""Small helpers of the tests."""

from __future__ import annotations

from pathlib import Path


def edit(path: Path, old: str, new: str) -> None:
    """Replace text in a file; fail when it is not there."""
    text = path.read_text("utf-8")
    assert old in text, f"{old!r} is not in {path.name}"
    path.write_text(text.replace(old, new), "utf-8")


# Original images and two feature classes: the whole path in seconds.
SMALL_PARAMETERS = """
imageType:
  Original: {}
featureClass:
  firstorder: []
  glcm: [Contrast, Correlation, JointEntropy]
setting:
  binWidth: 25
"""
# Without signs, which cost more than all the rest: tests of signs turn them on.
SMALL_STUDY = """
title: A small synthetic study
question: Does the path hold from images to report?
synthetic: true
cohort: {images: cohort/images.csv, clinical: cohort/clinical.csv, region: body}
outcome: {column: diagnosis, positive: metastatic, negative: osteoporotic}
covariates: [age, sex]
extraction:
  parameters: {CT: small.yaml}
  verify: 0
signs: {measure: false}
validation: {repeats: 2, outer_folds: 3, inner_folds: 2, seed: 7}
execution: {workers: 1, progress: false}
"""


def lay_small_study(folder: Path, cohort: Path, study: str = SMALL_STUDY) -> Path:
    """Write a study on a cohort that stands elsewhere; the study is not yet run."""
    (folder / "cohort").symlink_to(cohort, target_is_directory=True)
    (folder / "study.yaml").write_text(study)
    (folder / "small.yaml").write_text(SMALL_PARAMETERS)
    return folder
