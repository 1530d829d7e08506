"""Small helpers of the tests."""

from __future__ import annotations

import io
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess
from unittest.mock import patch

import pandas as pd


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
validation: {repeats: 1, outer_folds: 3, inner_folds: 2, seed: 7}
assessment: {probes: 2}
execution: {workers: 1, progress: false}
"""


def lay_small_study(folder: Path, cohort: Path, study: str = SMALL_STUDY) -> Path:
    """Write a study on a cohort that stands elsewhere; the study is not yet run."""
    (folder / "cohort").symlink_to(cohort, target_is_directory=True)
    (folder / "study.yaml").write_text(study)
    (folder / "small.yaml").write_text(SMALL_PARAMETERS)
    return folder


def images_of(study: Path) -> pd.DataFrame:
    """Return the image table of a laid study, its files named from the folder of the study."""
    images = pd.read_csv(study / "cohort" / "images.csv")
    for column in ("image", "mask", "subregions", "scheme"):
        images[column] = "cohort/" + images[column]
    return images


def use_images(study: Path, images: pd.DataFrame) -> None:
    """Give a laid study an image table of its own, the shared cohort stays as it is."""
    images.to_csv(study / "images.csv", index=False)
    edit(study / "study.yaml", "images: cohort/images.csv", "images: images.csv")


def command(*arguments: object, folder: str | Path = ".") -> CompletedProcess[str]:
    """Run the command line in this process; its texts and exit code are those of a process of its own."""
    from radiomics_vert.cli import main  # it imports the whole package, which few tests need

    given = [str(one) for one in arguments]
    out, err, code = io.StringIO(), io.StringIO(), 0
    called = patch.object(sys, "argv", ["radiomics-vert", *given])
    with called, chdir(folder), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return CompletedProcess(given, code, out.getvalue(), err.getvalue())
