"""The files of a cohort: bytes, geometry, labels, and whether the pictures show the truth."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from scipy import ndimage

from radiomics_vert.cohort import read_cohort
from radiomics_vert.cohort.levels import Level
from radiomics_vert.cohort.schemes import load_scheme
from radiomics_vert.imaging.geometry import Geometry
from radiomics_vert.synthetic import SyntheticSpec, is_made, make_cohort, whole_spine_ct

SPEC = SyntheticSpec(patients=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return make_cohort(tmp_path_factory.mktemp("synthetic") / "cohort", SPEC)


@pytest.fixture(scope="module")
def truth(folder) -> pd.DataFrame:
    return pd.read_csv(folder / "truth.csv", keep_default_na=False)


def volumes(folder: Path, subject: str, sequence: str) -> tuple[sitk.Image, sitk.Image, sitk.Image]:
    stem = f"images/{subject}_{sequence}"
    return tuple(
        sitk.ReadImage(str(folder / f"{stem}{part}.nii.gz")) for part in ("", "_mask", "_subregions")
    )


@pytest.fixture(scope="module")
def measured(folder, truth) -> pd.DataFrame:
    """Plain statistics inside the masks, next to the truth."""
    scheme, rows = load_scheme(folder / "scheme.yaml"), []
    for subject, vertebrae in truth.groupby("subject_id"):
        scans = {sequence: volumes(folder, subject, sequence) for sequence in SPEC.sequences}
        for _, vertebra in vertebrae.iterrows():
            row = {"subject_id": subject, "level": vertebra["level"]}
            for sequence, (image, mask, parts) in scans.items():
                label = scheme.label(Level.parse(vertebra["level"]))
                labels, regions = sitk.GetArrayViewFromImage(mask), sitk.GetArrayViewFromImage(parts)
                core = (labels == label) & (regions == 50)
                values = sitk.GetArrayViewFromImage(image)[core]
                row[f"{sequence}_median"] = float(np.median(values))
                row[f"{sequence}_minimum"] = float(values.min())
                body = (labels == label) & np.isin(regions, (49, 50))
                row[f"{sequence}_volume"] = float(body.sum() * np.prod(image.GetSpacing()))
            rows.append(row)
    return truth.merge(pd.DataFrame(rows), on=["subject_id", "level"], validate="one_to_one")


def digest(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_bytes_depend_neither_on_workers_nor_on_the_number_of_patients(folder, tmp_path):
    spec = SyntheticSpec(patients=2)
    alone = digest(make_cohort(tmp_path / "one", spec))
    together = digest(make_cohort(tmp_path / "two", spec, n_jobs=2))
    assert alone == together
    larger = digest(folder)
    images = [name for name in alone if name.startswith("images/")]
    assert len(images) == 2 * 2 * 3
    assert all(alone[name] == larger[name] for name in images)


def test_some_patients_alone_are_those_of_the_whole_cohort(folder, tmp_path):
    spec = replace(SPEC, sequences=("T1",))
    made = digest(make_cohort(tmp_path, spec, only=[1]))
    images = [name for name in made if name.startswith("images/")]
    assert sorted(images) == [f"images/SYN002_T1{part}.nii.gz" for part in ("", "_mask", "_subregions")]
    assert all((folder / name).read_bytes() == made[name] for name in images)
    assert not is_made(tmp_path, spec)


def test_another_seed_gives_other_images(folder, tmp_path):
    other = make_cohort(tmp_path, SyntheticSpec(patients=1, seed=1, sequences=("T1",)))
    name = "images/SYN001_T1.nii.gz"
    assert (other / name).read_bytes() != (folder / name).read_bytes()


def test_compressed_files_carry_no_time_and_stay_small(folder):
    files = list(folder.glob("images/*.nii.gz"))
    assert len(files) == 6 * SPEC.patients
    for path in files:
        assert path.read_bytes()[4:8] == bytes(4)  # MTIME of the gzip header, RFC 1952
    assert sum(path.stat().st_size for path in files) < 3.7e6 * SPEC.patients  # 150 MB for 40


def test_progress_counts_patients(tmp_path):
    calls = []
    spec = SyntheticSpec(patients=2, sequences=("T1",))
    make_cohort(tmp_path, spec, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]
    assert not list(tmp_path.glob("images/*CT*"))


@pytest.mark.parametrize("sequence", SPEC.sequences)
def test_geometry_is_shared_oblique_and_anisotropic(folder, truth, sequence):
    for subject in truth["subject_id"].unique():
        image, mask, parts = volumes(folder, subject, sequence)
        geometry = Geometry.of(image)
        assert geometry.matches(Geometry.of(mask))
        assert geometry.matches(Geometry.of(parts))
        direction = np.array(geometry.direction).reshape(3, 3)
        assert np.linalg.det(direction) == pytest.approx(1.0, abs=1e-5)
        assert np.abs(direction).max(axis=0).min() < 0.9999
        # Site A reconstructs thin CT slices.
        thin = sequence == "CT" and (truth.loc[truth["subject_id"] == subject, "site"] == "A").all()
        assert geometry.spacing[2] > (1.0 if thin else 1.5) * geometry.spacing[0]
        # The slice direction: along the body for CT, across it for sagittal MRI.
        assert abs(direction[2 if sequence == "CT" else 0, 2]) > 0.95
        assert image.GetPixelIDTypeAsString() == "16-bit signed integer"
        assert mask.GetPixelIDTypeAsString() == "8-bit unsigned integer"


@pytest.mark.parametrize("sequence", SPEC.sequences)
def test_labels_follow_the_schemes(folder, truth, sequence):
    scheme, regions = load_scheme(folder / "scheme.yaml"), load_scheme("spineps_subregions")
    beside = {values[0] for values in scheme.structures.values()}
    for subject, vertebrae in truth.groupby("subject_id"):
        _, mask, parts = volumes(folder, subject, sequence)
        labels, region = sitk.GetArrayViewFromImage(mask), sitk.GetArrayViewFromImage(parts)
        present = set(np.unique(labels).tolist()) - {0}
        found = {str(level) for level, _ in scheme.split(present).values()}
        assert found == set(vertebrae["level"])
        between = [Level.parse(name) for name in vertebrae["level"].iloc[:-1]]
        assert {label for label in present - beside if label > 100} == {
            scheme.discs[level][0] for level in between
        }
        assert present <= scheme.known()
        named = {label for values in regions.structures.values() for label in values}
        assert set(np.unique(region).tolist()) - {0} <= named
        bone = np.isin(labels, [label for label in present if label < 100])
        assert np.array_equal(bone, (region >= 41) & (region <= 50))
        assert np.array_equal((labels > 100) & (labels < 150), region == 100)
        assert (labels == scheme.structures["muscle"][0]).sum() > 1000
        # Soft tissue lies beside fractured vertebrae that have a rim, and nowhere else.
        assert (vertebrae["rim"] > 0).any() == (scheme.structures["paravertebral"][0] in present)
        assert (region == 61).sum() > 1000


def test_every_vertebra_is_whole(folder, truth):
    for subject in truth["subject_id"].unique()[:4]:
        labels = sitk.GetArrayFromImage(volumes(folder, subject, "CT")[1])
        labels[labels > 25] = 0
        for axis in range(3):
            assert not labels.take(0, axis).any()
            assert not labels.take(-1, axis).any()
        for label in np.unique(labels[labels > 0]):
            _, pieces = ndimage.label(labels == label, structure=np.ones((3, 3, 3)))
            assert pieces == 1


def test_tables_agree_with_the_truth(folder, truth):
    clinical = pd.read_csv(folder / "clinical.csv", keep_default_na=False)
    fractured = truth[truth["fractured"]]
    columns = ["subject_id", "level", "diagnosis", "age", "sex", "genant_grade"]
    pd.testing.assert_frame_equal(clinical, fractured[columns].reset_index(drop=True))
    manifest = pd.read_csv(folder / "images.csv")
    assert len(manifest) == 2 * SPEC.patients
    assert set(manifest["scheme"]) == {"scheme.yaml"}
    assert load_scheme(folder / "scheme.yaml").vertebrae.items() <= load_scheme("verse").vertebrae.items()
    for column in ("image", "mask", "subregions"):
        assert all((folder / name).is_file() for name in manifest[column])
    assert {"osteoporotic", "metastatic"} == set(clinical["diagnosis"])


def test_the_cohort_can_be_read(folder, truth):
    cohort = read_cohort(folder / "images.csv", clinical=folder / "clinical.csv")
    assert not cohort.refused
    assert len(cohort.cases) == 2 * len(truth)
    assert len(cohort.unmatched_clinical) == 0
    assert not any(case.touches_border for case in cohort.cases)


def test_body_volumes_agree_between_ct_and_mri(measured):
    """The slice thickness of MRI costs some precision, but both show the same bodies."""
    ratio = measured["T1_volume"] / measured["CT_volume"]
    assert ratio.between(0.85, 1.15).all()
    size = measured["width"] * measured["depth"] * measured[["anterior", "middle", "posterior"]].mean(axis=1)
    fill = measured["CT_volume"] / size  # an ellipse fills pi / 4 of its rectangle
    assert fill.between(0.60, 0.95).all()


def test_ct_shows_the_true_density_of_intact_vertebrae(measured):
    intact = measured[~measured["fractured"]]
    expected = intact["trabecular_hu"] + 14.75 * (intact["contrast"] == "portal")
    assert (intact["CT_median"] - expected).abs().max() < 12


def test_gas_is_seen_where_it_is_and_nowhere_else(measured):
    gas = measured["gas"].astype(bool)
    assert gas.any()
    assert (measured.loc[gas, "CT_minimum"] < -200).all()
    assert (measured.loc[~gas, "CT_minimum"] > -200).all()


def test_t1_follows_the_drawn_signal_and_classes_overlap(measured):
    """Marrow signal against the patient's own intact vertebrae; sign_truth.csv has the classes, with more."""
    reference = measured[~measured["fractured"]].groupby("subject_id")["T1_median"].median()
    fractured = measured[measured["fractured"]]
    ratio = fractured["T1_median"] / fractured["subject_id"].map(reference)
    groups = ratio.groupby(fractured["diagnosis"])
    assert groups.mean().max() < 1.0
    drawn = 1 - fractured["t1_fraction"] * (1 - fractured["t1_ratio"] / fractured["marrow_t1"])
    assert ratio.corr(drawn, method="spearman") > 0.7
    assert groups.min()["osteoporotic"] < groups.max()["metastatic"]
    complete = fractured["t1_pattern"] == "complete"
    assert ratio[complete].max() < ratio[fractured["t1_pattern"] == "none"].min()


def test_patients_differ_in_gain(measured):
    """T1 has no unit: intact marrow differs between patients by far more than within one."""
    intact = measured[~measured["fractured"]].groupby("subject_id")["T1_median"]
    assert intact.median().std() > 2 * intact.std().mean()


def test_whole_spine_fits_its_field(tmp_path):
    image, mask = whole_spine_ct(tmp_path, shape=(180, 260, 90), seed=3)
    first = image.read_bytes(), mask.read_bytes()
    volume, labels = sitk.ReadImage(str(image)), sitk.ReadImage(str(mask))
    assert volume.GetSize() == labels.GetSize() == (180, 260, 90)
    array = sitk.GetArrayFromImage(labels)
    vertebrae = load_scheme("verse").split(np.unique(array).tolist())
    assert [str(level) for level, _ in vertebrae.values()] == ["L3", "L4", "L5"]
    for axis in range(3):
        assert not array.take(0, axis).any()
        assert not array.take(-1, axis).any()
    whole_spine_ct(tmp_path, shape=(180, 260, 90), seed=3)
    assert (image.read_bytes(), mask.read_bytes()) == first


@pytest.mark.slow
def test_whole_spine_of_the_benchmark_holds_t1_to_l5(tmp_path):
    _, mask = whole_spine_ct(tmp_path)
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(mask)))
    assert labels.shape == (300, 512, 512)
    levels = [str(level) for level, _ in load_scheme("verse").split(np.unique(labels).tolist()).values()]
    assert levels[0] == "T1"
    assert levels[-1] == "L5"
    assert len(levels) == 17


def test_a_cohort_of_other_settings_or_an_older_release_is_told_apart(folder, tmp_path):
    assert is_made(folder, SPEC)
    assert not is_made(folder, replace(SPEC, seed=SPEC.seed + 1))
    assert not is_made(tmp_path, SPEC)
    made = json.loads((folder / "made.json").read_text("utf-8"))
    for content in (json.dumps({**made, "release": made["release"] - 1}), "{", ""):
        (tmp_path / "made.json").write_text(content, encoding="utf-8")
        assert not is_made(tmp_path, SPEC)
