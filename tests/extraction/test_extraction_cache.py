"""The cache: keyed by content, resumable, and able to say why something was computed again."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extraction_scans import MakeCohort, textured, two_vertebrae

from radiomics_vert.cohort import Cohort
from radiomics_vert.extraction import ExtractionParams, extract
from radiomics_vert.extraction.engine import compute_steps
from radiomics_vert.feature_table import FeatureTable

SHAPE = (16, 22, 19)
SMALL = {"shape": None, "firstorder": ["Mean", "Entropy"]}


def _params(sigma: tuple[float, ...] = (1.0,), **settings: Any) -> ExtractionParams:
    content = {
        "imageType": {"Original": {}, "LoG": {"sigma": list(sigma)}},
        "featureClass": SMALL,
        "setting": {"binWidth": 25, **settings},
    }
    return ExtractionParams.from_mapping(content)


def _cohort(make: MakeCohort, changed: bool = False, shift: int = 0, subjects: str = "ab") -> Cohort:
    scans = []
    for index, subject in enumerate(subjects):
        labels = two_vertebrae(SHAPE)
        if changed and subject == "a":
            z, y, x = (int(axis[0]) for axis in np.nonzero(labels == 21))
            labels[z, y, x] = 0
        scans.append((subject, "CT", textured(SHAPE, seed=index + shift), labels, {}))
    return make(*scans)


def _facts(table: FeatureTable) -> tuple[int, int, dict[str, int]]:
    facts = table.provenance.run["cache"]
    return facts["hits"], facts["misses"], facts["reasons"]


def _bytes(table: FeatureTable, folder: Path) -> list[bytes]:
    table.save(folder)
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def test_second_run_reads_the_cache_only(make_cohort: MakeCohort, tmp_path: Path) -> None:
    cohort, cache = _cohort(make_cohort), tmp_path / "cache"
    first = extract(cohort, _params(), cache=cache)
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*.json")}
    for scan in cohort.scans:
        scan.image.unlink()
        scan.mask.unlink()
    second = extract(cohort, _params(), cache=cache)
    assert _facts(first) == (0, 12, {"never computed": 12})
    assert _facts(second) == (12, 0, {})
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.json")} == before
    assert _bytes(first, tmp_path / "1") == _bytes(second, tmp_path / "2")


def test_adding_a_sigma_computes_only_that(make_cohort: MakeCohort, tmp_path: Path) -> None:
    cohort, cache = _cohort(make_cohort), tmp_path / "cache"
    extract(cohort, _params(), cache=cache)
    table = extract(cohort, _params(sigma=(1.0, 1.5)), cache=cache)
    assert _facts(table) == (12, 4, {"never computed": 4})
    fresh = extract(cohort, _params(sigma=(1.0, 1.5)))
    assert _bytes(table, tmp_path / "1") == _bytes(fresh, tmp_path / "2")


def test_bin_width_spares_shape_and_is_named(
    make_cohort: MakeCohort, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cohort, cache = _cohort(make_cohort), tmp_path / "cache"
    extract(cohort, _params(), cache=cache)
    with caplog.at_level(logging.INFO, "radiomics_vert.extraction"):
        table = extract(cohort, _params(binWidth=20), cache=cache)
    why = "parameters changed: binWidth 25 -> 20"
    assert _facts(table) == (4, 8, {why: 8})
    assert f"a_CT_L1: compute original, log-sigma-1.0: {why}" in caplog.messages


def test_one_changed_mask_touches_one_case(make_cohort: MakeCohort, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    extract(_cohort(make_cohort), _params(), cache=cache)
    table = extract(_cohort(make_cohort, changed=True), _params(), cache=cache)
    assert _facts(table) == (9, 3, {"mask changed": 3})


def test_changed_images_are_named(make_cohort: MakeCohort, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    extract(_cohort(make_cohort), _params(), cache=cache)
    table = extract(_cohort(make_cohort, shift=7), _params(), cache=cache)
    assert _facts(table) == (0, 12, {"image changed": 12})


def test_changed_engine_is_named(
    make_cohort: MakeCohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort, cache = _cohort(make_cohort), tmp_path / "cache"
    extract(cohort, _params(), cache=cache)
    newer = {"engine": "pyradiomics", "pyradiomics": "9.9"}
    monkeypatch.setattr("radiomics_vert.extraction.extracting.engine_version", lambda _: newer)
    (reason,) = _facts(extract(cohort, _params(), cache=cache))[2]
    assert reason.startswith("engine changed: ")
    assert "pyradiomics (absent) -> 9.9" in reason


def test_same_content_under_another_name_hits(make_cohort: MakeCohort, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    extract(_cohort(make_cohort, subjects="ab"), _params(), cache=cache)
    table = extract(_cohort(make_cohort, subjects="xy"), _params(), cache=cache)
    assert _facts(table)[:2] == (12, 0)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"ingredients": 1}', "\x00"])
def test_damaged_entries_are_computed_again(make_cohort: MakeCohort, tmp_path: Path, damage: str) -> None:
    cohort, cache = _cohort(make_cohort), tmp_path / "cache"
    first = extract(cohort, _params(), cache=cache)
    entry = sorted((cache / "entries").rglob("*.json"))[0]
    entry.write_text(damage)
    second = extract(cohort, _params(), cache=cache)
    assert _facts(second) == (11, 1, {"cache entry cannot be read": 1})
    assert _bytes(first, tmp_path / "1") == _bytes(second, tmp_path / "2")
    assert isinstance(json.loads(entry.read_text()), dict)


def test_deleted_entry_is_named(make_cohort: MakeCohort, tmp_path: Path) -> None:
    cohort, cache = _cohort(make_cohort), tmp_path / "cache"
    extract(cohort, _params(), cache=cache)
    sorted((cache / "entries").rglob("*.json"))[0].unlink()
    assert _facts(extract(cohort, _params(), cache=cache))[2] == {"cache entry is missing": 1}


def test_interrupted_run_goes_on(
    make_cohort: MakeCohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort, cache = _cohort(make_cohort), tmp_path / "cache"
    module = "radiomics_vert.extraction.preparing.compute_steps"

    def stops_at_third(volumes: Any, label: int, box: Any, steps: Any, where: str) -> Any:
        if where == "b_CT_L1":
            raise KeyboardInterrupt
        return compute_steps(volumes, label, box, steps, where)

    with monkeypatch.context() as patch:
        patch.setattr(module, stops_at_third)
        with pytest.raises(KeyboardInterrupt):
            extract(cohort, _params(), cache=cache)
    resumed = extract(cohort, _params(), cache=cache)
    assert _facts(resumed) == (6, 6, {"never computed": 6})
    assert _bytes(resumed, tmp_path / "1") == _bytes(extract(cohort, _params()), tmp_path / "2")


def test_failures_are_cached_too(make_cohort: MakeCohort, tmp_path: Path) -> None:
    cohort, cache = _cohort(make_cohort), tmp_path / "cache"
    empty = _params(resegmentRange=[9000, 9999])
    first = extract(cohort, empty, cache=cache)
    second = extract(cohort, empty, cache=cache)
    assert first.failures["code"].tolist() == ["RV308"] * 4
    assert second.failures.equals(first.failures)
    assert _facts(second)[:2] == (12, 0)


def test_one_and_two_workers_give_the_same_bytes(make_cohort: MakeCohort, tmp_path: Path) -> None:
    cohort = _cohort(make_cohort)
    one = extract(cohort, _params(), n_jobs=1, cache=tmp_path / "one")
    two = extract(cohort, _params(), n_jobs=2, cache=tmp_path / "two")
    assert _bytes(one, tmp_path / "1") == _bytes(two, tmp_path / "2")
    alone = cohort.only({case.case_id for case in cohort.cases if case.scan.subject_id == "a"})
    split = extract(alone, _params(), n_jobs=2)  # one scan, shared by two workers
    assert split.values.equals(one.values.iloc[:2])
