"""Signs as a stage of a study: measured, compared, a feature set of their own, first in the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from radiomics_vert.results import Result
from radiomics_vert.statistics.signs import AGREEMENTS
from radiomics_vert.study import Run, load_study
from tests_support import edit, images_of, lay_small_study, use_images


@pytest.fixture(scope="module")
def finished(small_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a study with signs of nine patients once for the tests that only look."""
    folder = lay_small_study(tmp_path_factory.mktemp("signs"), small_cohort)
    use_images(folder, images_of(folder).head(9))
    edit(folder / "study.yaml", "signs: {measure: false}", "signs: {measure: true}")
    edit(folder / "study.yaml", "outer_folds: 3", "outer_folds: 2")
    run = Run(load_study(folder))
    run.run()
    return run


def test_every_vertebra_under_study_has_its_signs_or_a_reason(finished: Run) -> None:
    signs = finished.study.load_signs()
    assert signs is not None
    features = finished.study.load_features()
    assert set(signs.features.values["case_id"]) | set(signs.features.failures["case_id"]) == set(
        features.values["case_id"]
    )
    assert signs.features.features[0] == "sign_ha_mm"
    assert {"case_id", "sign", "code", "reason"} == set(signs.absences.columns)
    # A reference is never a vertebra that the clinical table names as fractured.
    fractured = set(features.values["case_id"])
    references = " ".join(signs.features.diagnostics["references"].dropna()).split()
    assert references
    assert not fractured & set(references)


def test_signs_compete_with_texture_and_covariates(finished: Run) -> None:
    metrics = Result.load(finished.study.records, "validation").frame()
    auc = metrics[metrics["metric"] == "auc"].set_index("feature_set")
    assert {"covariates", "signs", "texture", "combined", "best single sign"} <= set(auc.index)
    chosen = Result.load(finished.study.records, "validation").frame("selection")
    of_signs = chosen[chosen["feature_set"] == "signs"]["feature"]
    assert of_signs.str.startswith("sign_").all()
    assert not chosen[chosen["feature_set"] == "texture"]["feature"].str.startswith("sign_").any()


def test_the_report_shows_signs_before_texture_and_links_the_sheets(finished: Run) -> None:
    page = (finished.study.output / "report.html").read_text("utf-8")
    assert page.index('id="signs"') < page.index('id="association"')
    assert "signs/sheets/index.html" in page
    sheets = finished.study.signs / "sheets"
    assert (sheets / "index.html").is_file()
    table = finished.study.load_features().values
    scan = f"{table['subject_id'][0]}_CT"
    assert (sheets / "scans" / f"{scan}.html").is_file()
    assert (
        f"sheets/scans/{scan}.html" in (finished.study.output / "qc" / "scans" / f"{scan}.html").read_text()
    )


def test_what_signs_show_is_set_against_the_seeds(finished: Run) -> None:
    signs = Result.load(finished.study.records, "signs")
    rows = signs.frame("signs")
    assert set(rows["agreement"]) <= set(AGREEMENTS)
    assert rows["seed"].str.startswith("S").all()
    association = Result.load(finished.study.records, "association").frame("features").set_index("feature")
    bulge = rows.set_index("name").loc["pw_bulge_mm"]
    assert bulge["auc"] == pytest.approx(association.loc["sign_pw_bulge_mm", "estimate"])
    assert bulge["expected"] == "metastatic"
    values = signs.frame("values")
    assert len(values[values["sign"] == "pw_bulge_mm"]) == bulge["n"]


def test_a_second_run_reads_the_signs_from_the_cache(finished: Run) -> None:
    before = (finished.study.signs / "features.csv").read_bytes()
    table = Run(finished.study, workers=1).signs()
    assert table is not None
    assert table.features.provenance.run["cache"]["misses"] == 0
    assert (finished.study.signs / "features.csv").read_bytes() == before
