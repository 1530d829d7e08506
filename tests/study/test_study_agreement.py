"""Agreement of repeated measurements in a study: changed masks, raters, sessions, each for itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from radiomics_vert.config.models import ReliabilitySettings
from radiomics_vert.errors import AnalysisError
from radiomics_vert.feature_table import FeatureTable
from radiomics_vert.reporting.inputs import Inputs
from radiomics_vert.reporting.nouns import Figure, Table, Text
from radiomics_vert.reporting.sections.methods_analyses import sentences
from radiomics_vert.reporting.sections.reliability import section
from radiomics_vert.results import Result
from radiomics_vert.study import Run, load_study
from radiomics_vert.study.agreement import agreement_results, repeated_rows
from tests_support import edit, images_of, lay_small_study, use_images


@pytest.fixture(scope="module")
def two_raters(small_cohort, tmp_path_factory):
    """A study in which rater A drew in nine patients, and rater B in seven of these too, one voxel beside."""
    folder = lay_small_study(tmp_path_factory.mktemp("raters"), small_cohort)
    images = images_of(folder).drop(columns="subregions").head(9)
    second = images.head(7).assign(rater="B")
    for subject, mask in zip(second["subject_id"], second["mask"], strict=True):
        found = sitk.ReadImage(folder / mask)
        moved = sitk.GetImageFromArray(np.roll(sitk.GetArrayFromImage(found), 1, axis=2))
        moved.CopyInformation(found)
        sitk.WriteImage(moved, folder / f"{subject}_B.nii.gz")
    second["mask"] = second["subject_id"] + "_B.nii.gz"
    use_images(folder, pd.concat([images.assign(rater="A"), second]))
    edit(folder / "study.yaml", "images: images.csv,", "images: images.csv, rater: A,")
    edit(folder / "study.yaml", "region: body", "region: vertebra")
    edit(folder / "study.yaml", "outer_folds: 3", "outer_folds: 2")
    with (folder / "study.yaml").open("a") as stream:
        stream.write("reliability: {compare: [raters]}\n")
    return folder


def test_raters_of_a_study_are_compared_and_reported(two_raters):
    run = Run(load_study(two_raters), workers=1)
    run.extract()
    result = Result.load(run.study.records, "reliability")
    features = result.frame("features")
    clinical = pd.read_csv(two_raters / "cohort" / "clinical.csv")
    twice = pd.read_csv(two_raters / "images.csv").query("rater == 'B'")["subject_id"]
    assert result.spec["by"] == "rater"
    assert set(features["n_targets"]) == {int(clinical["subject_id"].isin(twice).sum())}
    assert set(features["n_measurements"]) == {2}
    assert 0.3 < features["estimate"].median() < 1
    run.analyze()
    beside = Result.load(run.study.records, "association").frame("features")
    assert beside["icc"].notna().sum() == features["estimate"].notna().sum()
    text = run.report().read_text("utf-8")
    assert "the masks of different readers or programs (A and B)" in text


def test_a_comparison_without_repeats_stops_early(two_raters):
    edit(two_raters / "study.yaml", "compare: [raters]", "compare: [raters, sessions]")
    run = Run(load_study(two_raters), workers=1)
    (found,) = run._inputs()._unusable_comparisons(run.study.settings)
    assert (found.code, found.severity) == ("RV503", "error")
    assert "sessions" in found.explanation
    assert "column session " in found.remedy
    with pytest.raises(AnalysisError, match="different sessions"):
        run.extract()


def _table(noise=0.1, sequences=("T1",)):
    """Seven patients measured in two sessions by A, five of them also by B, and an eighth only once."""
    rng, rows = np.random.default_rng(4), []
    for sequence in sequences:
        for patient in range(8):
            value = rng.normal()
            for session in ("1", "2") if patient < 7 else ("1",):
                for rater in ("A", "B") if patient < 5 else ("A",):
                    rows.append(
                        {
                            "case_id": f"{patient}{session}{rater}{sequence}", "subject_id": f"P{patient}",
                            "session": session, "sequence": sequence, "rater": rater, "site": "",
                            "level": "L1", "label": 20,
                            "original_glcm_Contrast": value + noise * rng.normal(),
                        }
                    )  # fmt: skip
    values = pd.DataFrame(rows)
    return FeatureTable(values, values.iloc[:0], pd.DataFrame(), len(values))


def test_each_source_is_a_result_of_its_own():
    table = _table()
    settings = ReliabilitySettings(compare=["sessions", "raters"])
    first, second = agreement_results(settings, table, None, "A")
    assert (first.kind, first.spec["by"]) == ("reliability", "session")
    assert (second.kind, second.spec["by"]) == ("reliability_raters", "rater")
    # Sessions on the masks of A alone; raters in each session of the five patients of both.
    assert first.frame("features")["n_targets"].tolist() == [7]
    assert second.frame("features")["n_targets"].tolist() == [10]
    assert first.frame("features")["estimate"].iloc[0] > 0.9
    assert len(repeated_rows(table.values, "sessions", None)) == 14 + 10
    assert agreement_results(ReliabilitySettings(), table, None, "A") == []


def test_every_source_is_told_in_the_report():
    settings = ReliabilitySettings(compare=["raters", "sessions"])
    both = agreement_results(settings, _table(), None, "A")
    items = section(Inputs(both)).items
    keys = [item.key for item in items if isinstance(item, Table | Figure)]
    assert len(keys) == len(set(keys))
    assert {"reliability", "reliability-by-sessions", "reliability-families-by-sessions"} <= set(keys)
    told = " ".join(text for item in items if isinstance(item, Text) for text in item.paragraphs)
    assert "on the masks of different readers or programs (A and B)" in told
    assert "on repeated scans (1 and 2)" in told
    assert len(sentences(Inputs(both))) == 2


def test_features_keep_the_name_of_their_sequence_where_only_one_was_repeated():
    table = _table(sequences=("T1", "CT"))
    once = table.values[~((table.values["sequence"] == "CT") & (table.values["session"] == "2"))]
    part = FeatureTable(once, once.iloc[:0], pd.DataFrame(), len(once))
    (found,) = agreement_results(ReliabilitySettings(compare=["sessions"]), part, None, "A")
    assert found.frame("features")["feature"].tolist() == ["T1__original_glcm_Contrast"]
    assert set(found.frame("icc")["feature"]) == {"T1__original_glcm_Contrast"}
