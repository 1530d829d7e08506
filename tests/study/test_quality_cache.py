"""Quality control that was done before is not done again; a hundred scans are soon done."""

from __future__ import annotations

import filecmp
import time
import zlib
from pathlib import Path

import pytest
import SimpleITK as sitk

from quality_phantoms import spine, write_spines
from radiomics_vert.cohort import read_cohort
from radiomics_vert.extraction import ExtractionParams, builtin_params, preparing
from radiomics_vert.extraction.preparing import read_volumes
from radiomics_vert.extraction.quality import measure_quality
from radiomics_vert.study import check_pair
from radiomics_vert.study import quality as quality_control
from radiomics_vert.study.quality import control_quality
from radiomics_vert.synthetic import whole_spine_ct

PARAMS = {
    "imageType": {"Original": {}},
    "featureClass": {"firstorder": ["Mean"]},
    "setting": {"binWidth": 10, "resegmentRange": [-200, 1500]},
}


def _params(**setting) -> dict[str, ExtractionParams]:
    content = {**PARAMS, "setting": {**PARAMS["setting"], **setting}}
    return {"CT": ExtractionParams.from_mapping(content)}


@pytest.fixture
def images(tmp_path) -> Path:
    return write_spines(tmp_path / "data", A={}, B={"metal": 0.05})


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """Scans whose voxels were read."""
    found: list[str] = []
    whole = quality_control.read_volumes
    monkeypatch.setattr(
        quality_control, "read_volumes", lambda scan: found.append(scan.scan_id) or whole(scan)
    )
    return found


def _control(images: Path, output: Path, cache: Path | None, **setting):
    cohort = read_cohort(images, scheme="verse")
    return control_quality(cohort, cohort, _params(**setting), title="T", folder=output, cache=cache)


def _same_files(first: Path, second: Path) -> bool:
    names = sorted(str(path.relative_to(first)) for path in first.rglob("*") if path.is_file())
    others = sorted(str(path.relative_to(second)) for path in second.rglob("*") if path.is_file())
    return names == others and filecmp.cmpfiles(first, second, names, shallow=False)[1:] == ([], [])


def test_a_second_time_no_voxel_is_read_and_no_byte_differs(images, tmp_path, reads):
    _control(images, tmp_path / "fresh", None)
    _control(images, tmp_path / "kept", tmp_path / "cache")
    assert reads == ["A_CT", "B_CT"] * 2
    again = _control(images, tmp_path / "kept", tmp_path / "cache")
    assert len(reads) == 4
    assert _same_files(tmp_path / "fresh" / "qc", tmp_path / "kept" / "qc")
    assert again.table["grey_levels"].notna().all()


def test_only_what_changed_is_done_again(images, tmp_path, reads):
    output, cache = tmp_path / "output", tmp_path / "cache"
    first = _control(images, output, cache)
    reads.clear()
    finer = _control(images, output, cache, binWidth=5)
    assert reads == ["A_CT", "B_CT"]
    assert (finer.table["grey_levels"] > 1.5 * first.table["grey_levels"]).all()
    reads.clear()
    _, mask = spine(missing=23)
    sitk.WriteImage(mask, str(images.parent / "A_mask.nii.gz"))
    assert len(_control(images, output, cache).table) == 7
    assert reads == ["A_CT"]
    assert not (output / "qc" / "images" / "A_CT_L4.png").exists()


def test_a_lost_or_changed_picture_is_drawn_again(images, tmp_path, reads):
    output, cache = tmp_path / "output", tmp_path / "cache"
    _control(images, output, cache)
    pictures = output / "qc" / "images"
    kept = (pictures / "A_CT_L2.png").read_bytes()
    (pictures / "A_CT_L2.png").write_bytes(b"something else")
    (pictures / "B_CT_L1.png").unlink()
    (pictures / "stranger.png").write_bytes(b"")
    reads.clear()
    _control(images, output, cache)
    assert reads == ["A_CT", "B_CT"]
    assert (pictures / "A_CT_L2.png").read_bytes() == kept
    assert len(list(pictures.iterdir())) == 8


def test_bias_correction_is_left_to_the_extraction(images, monkeypatch):
    def unwanted(image):
        raise AssertionError("N4 was called")

    monkeypatch.setattr(preparing, "correct_bias", unwanted)
    content = {**PARAMS, "setting": {"binWidth": 0.25}}
    content["preprocessing"] = {"bias_correction": "n4", "intensity": "zscore"}
    found = measure_quality(
        read_cohort(images, scheme="verse"), {"CT": ExtractionParams.from_mapping(content)}
    )
    assert found["grey_levels"].gt(5).all()
    assert set(found["problem"]) == {""}


def test_a_pair_needs_no_reference_vertebrae(tmp_path):
    """Nobody can tell a reference without a clinical table; the pair is not refused for that."""
    image, mask = spine()
    for volume, name in ((image, "t1"), (mask, "mask")):
        volume.SetSpacing((4.4, 1.0, 1.0))
        sitk.WriteImage(volume, str(tmp_path / f"{name}.nii.gz"))
    found = check_pair(tmp_path / "t1.nii.gz", tmp_path / "mask.nii.gz", "verse", sequence="T1")
    assert found.quality.table["grey_levels"].notna().all()
    assert found.verdict != "refused"
    assert "RV311" not in {finding.code for finding in found.findings}


@pytest.mark.slow
def test_a_hundred_scans_in_two_minutes_on_two_cores(tmp_path):
    """Processor seconds, so that the bound holds on a busy machine; two cores share them."""
    scans = {f"P{k:03d}": {"shift": k} for k in range(100)}
    images = write_spines(tmp_path / "data", **scans)
    started = time.process_time()
    found = _control(images, tmp_path / "output", tmp_path / "cache", resampledPixelSpacing=[1, 1, 1])
    measured = time.process_time() - started
    assert len(found.table) == 400
    assert measured < 240
    started = time.process_time()
    _control(images, tmp_path / "output", tmp_path / "cache", resampledPixelSpacing=[1, 1, 1])
    assert time.process_time() - started < measured


@pytest.mark.slow
def test_a_ct_of_full_size_costs_a_few_decompressions(tmp_path):
    """100 of them in two minutes on two cores: each file is inflated once to check and once to measure.

    In units of one inflation of the image by zlib, so that the bound holds on any machine: on ours 2.4 s are
    5.2 of them, and a scan took 5.7, with isal 5.0. Half as much again is allowed for a busy machine.
    """
    image, mask = whole_spine_ct(tmp_path)
    row = f"spine,CT,{image.name},{mask.name}"
    (tmp_path / "images.csv").write_text(f"subject_id,sequence,image,mask\n{row}\n", "utf-8")
    params = {"CT": builtin_params("ct")}
    inflating, reading, checking = [], [], []
    for _ in range(3):
        started = time.process_time()
        zlib_pieces = zlib.decompressobj(zlib.MAX_WBITS | 32)
        with image.open("rb") as stream:
            while chunk := stream.read(1 << 16):
                zlib_pieces.decompress(chunk)
        inflating.append(time.process_time() - started)
        started = time.process_time()
        cohort = read_cohort(tmp_path / "images.csv", scheme="verse")
        found = control_quality(cohort, cohort, params, title="T", folder=tmp_path / "output")
        checking.append(time.process_time() - started)
        started = time.process_time()
        read_volumes(cohort.scans[0])
        reading.append(time.process_time() - started)
    assert len(found.table) == 17
    assert found.table["grey_levels"].notna().all()
    # The first time everything is loaded and nothing is warm.
    assert min(checking) < 8 * min(inflating)
    # Image and mask in less than a second, where an inflation takes 0.45 of one.
    assert min(reading) < 2.2 * min(inflating)
