"""Quality measures of phantoms with a known answer, and the same as the extraction has."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from quality_phantoms import LEVELS, SPACING, VOLUME_ML, VOXELS, spine, write_spines
from radiomics_vert.cohort import Case, Level, Scan, load_scheme, read_cohort
from radiomics_vert.extraction import ExtractionParams, extract, quality
from radiomics_vert.extraction.quality import COLUMNS, is_ct, measure_quality, neighbourhood
from radiomics_vert.imaging import Geometry

PARAMS = ExtractionParams.from_mapping(
    {
        "imageType": {"Original": {}},
        "featureClass": {"firstorder": ["Mean"], "glcm": ["Contrast"]},
        "setting": {"binWidth": 25, "resampledPixelSpacing": [2, 2, 2], "resegmentRange": [-200, 1500]},
    }
)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spines")
    images = write_spines(folder, A={}, B={"metal": 0.2, "gas": 40}, C={}, D={"missing": 21})
    for kind in ("", "_mask"):  # one image under two patients
        (folder / f"C{kind}.nii.gz").write_bytes((folder / f"A{kind}.nii.gz").read_bytes())
    return read_cohort(images, scheme="verse")


@pytest.fixture(scope="module")
def table(cohort):
    return measure_quality(cohort, PARAMS).set_index("case_id")


def test_one_row_per_case_in_the_order_of_the_cohort(cohort, table):
    assert list(table.index) == [case.case_id for case in cohort.cases]
    assert list(measure_quality(cohort.only({"A_CT_L1"})).columns) == list(COLUMNS)


def test_sizes_and_grid(table):
    assert (table["voxels"] == VOXELS).all()
    assert np.allclose(table["volume_ml"], VOLUME_ML)
    assert np.allclose(table[["spacing_x", "spacing_y", "spacing_z"]], SPACING)
    assert (table["slice_plane"] == "axial").all()
    assert (table["slices"] == 10).all()
    assert (table["obliquity_degrees"] == 0).all()
    assert (table["components"] == 1).all()
    assert (table["largest_share"] == 1).all()


def test_grey_values(table):
    image, mask = spine(0)
    inside = sitk.GetArrayFromImage(image)[sitk.GetArrayFromImage(mask) == 20]
    low, middle, high = np.percentile(inside, (25, 50, 75))
    assert table.loc["A_CT_L1", "intensity_median"] == middle
    assert table.loc["A_CT_L1", "intensity_iqr"] == high - low
    assert (table["image_minimum"] == -1000).all()
    assert not table["constant"].any()


def test_metal_and_gas_are_shares_of_the_own_voxels(table):
    assert table.loc["B_CT_L3", "hardware_share"] == round(0.2 * VOXELS) / VOXELS
    assert table.loc["B_CT_L2", "gas_ml"] == pytest.approx(40 * 7.5 / 1000)
    assert table.loc["A_CT_L3", ["hardware_share", "gas_ml"]].tolist() == [0, 0]
    assert table.loc["B_CT_L3", "clipped_share"] > 0.1


def test_neighbours_are_35_mm_apart_and_a_missing_level_is_seen(table):
    assert np.allclose(
        table.loc["A_CT_L1", ["gap_mm", "gap_ratio", "volume_ratio"]].astype(float), [35, 1, 1]
    )
    assert np.isnan(table.loc["A_CT_L4", "gap_mm"]), "there is none below"
    assert table.loc["D_CT_L1", "levels_skipped"] == 1
    assert table.loc["D_CT_L1", "gap_mm"] == pytest.approx(70)
    assert table.loc["A_CT_L1", "levels_skipped"] == 0


def test_twins_are_named(table):
    """A and C share the image; A, B and C share the mask; D shares nothing."""
    named = table["duplicate_of"].groupby(table["scan_id"]).first().to_dict()
    assert {scan: set(others.split("; ")) for scan, others in named.items()} == {
        "A_CT": {"B_CT", "C_CT"}, "B_CT": {"A_CT", "C_CT"}, "C_CT": {"A_CT", "B_CT"}, "D_CT": {""},
    }  # fmt: skip


def test_measures_are_those_that_the_extraction_meets(cohort, table):
    features = extract(cohort, PARAMS)
    known = features.diagnostics.set_index("case_id")
    for name in ("voxels_resampled", "grey_levels", "clipped_share"):
        assert known[name].astype(float).tolist() == table.loc[known.index, name].astype(float).tolist(), name


def test_the_table_does_not_depend_on_workers(cohort, table, tmp_path):
    again = measure_quality(cohort, PARAMS, n_jobs=2)
    again.to_csv(tmp_path / "two.csv", index=False)
    table.reset_index()[list(COLUMNS)].to_csv(tmp_path / "one.csv", index=False)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_without_parameters_the_rest_is_measured(cohort):
    plain = measure_quality(cohort)
    assert plain["grey_levels"].isna().all()
    assert np.allclose(plain["volume_ml"], VOLUME_ML)


def test_what_stops_the_extraction_is_named(tmp_path):
    cohort = read_cohort(write_spines(tmp_path, A={"shift": 3000}), scheme="verse")
    measured = measure_quality(cohort, PARAMS)
    assert set(measured["problem"]) == {"RV308"}
    assert measured["problem_found"].str.contains("grey values from").all()
    assert set(measure_quality(cohort, {"T1": PARAMS})["problem"]) == {"RV114"}


def test_files_that_vanish_become_rows(tmp_path):
    cohort = read_cohort(write_spines(tmp_path, A={}), scheme="verse")
    (tmp_path / "A.nii.gz").unlink()
    measured = measure_quality(cohort, PARAMS)
    assert len(measured) == len(LEVELS)
    assert set(measured["problem"]) == {"RV101"}


def stored_as(order, cohort, folder):
    """The first scan of a cohort, its voxels stored in another order."""
    scan = cohort.cases[0].scan
    for path in (scan.image, scan.mask):
        sitk.WriteImage(sitk.DICOMOrient(sitk.ReadImage(str(path)), order), str(folder / path.name))
    images = folder / "images.csv"
    images.write_text("subject_id,sequence,image,mask\nA,CT,A.nii.gz,A_mask.nii.gz\n", "utf-8")
    return read_cohort(images, scheme="verse")


@pytest.mark.parametrize("stored", ["PIR", "RAS"])
def test_stored_otherwise_the_measures_are_the_same(tmp_path, cohort, table, stored):
    again = measure_quality(stored_as(stored, cohort, tmp_path), PARAMS).set_index("case_id")
    same = ["voxels", "voxels_resampled", "grey_levels", "clipped_share", "intensity_median", "gas_ml"]
    assert again[same].astype(float).equals(table.loc[again.index, same].astype(float))


def test_a_file_that_vanishes_before_it_is_read_again_becomes_rows(tmp_path, cohort, monkeypatch):
    turned = stored_as("PIR", cohort, tmp_path)
    read = quality.read_volumes

    def last_time(scan):
        volumes = read(scan)
        scan.image.unlink()
        return volumes

    monkeypatch.setattr(quality, "read_volumes", last_time)
    measured = measure_quality(turned, PARAMS)
    assert len(measured) == len(LEVELS)
    assert set(measured["problem"]) == {"RV101"}


def test_pieces_and_constant_regions(tmp_path):
    images = write_spines(tmp_path, A={})
    volume, mask = spine(0)
    voxels, labels = sitk.GetArrayFromImage(volume), sitk.GetArrayFromImage(mask)
    labels[2, 20:24, 20:25] = 20  # 20 stray voxels of L1 at the feet
    voxels[labels == 21] = 300
    for array, name in ((voxels, "A.nii.gz"), (labels, "A_mask.nii.gz")):
        changed = sitk.GetImageFromArray(array)
        changed.SetSpacing(SPACING)
        sitk.WriteImage(changed, str(tmp_path / name))
    measured = measure_quality(read_cohort(images, scheme="verse"), PARAMS).set_index("level")
    assert measured["components"].tolist() == [2, 1, 1, 1]
    assert measured.loc["L1", "largest_share"] == VOXELS / (VOXELS + 20)
    assert measured["constant"].tolist() == [False, True, False, False]
    assert set(measured["problem"]) == {""}, "resampling mixes the surroundings in: it is no longer constant"


def test_sequences_in_hounsfield_units():
    names = ("CT", "PCCT", "ct_venous", "T2", "CTA", "act")
    assert [is_ct(name) for name in names] == [True, True, True, False, True, False]


# --- neighbours ---------------------------------------------------------------------------------------

GRID = Geometry((60, 60, 400), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
SCAN = Scan("S", "S", "CT", None, None, load_scheme("verse"))


def at(level: str, top: int, voxels: int = 9000, border: bool = False) -> Case:
    box = (10, 40, 10, 40, top, top + 20)
    return Case(f"S_{level}", SCAN, Level.parse(level), 1, voxels, box, "m", 1, border)


def test_a_label_that_is_missing_doubles_the_gap():
    cases = [at("T10", 300), at("T11", 270), at("T12", 240), at("L1", 180), at("L2", 150), at("L3", 120)]
    found = neighbourhood(cases, GRID)
    assert found["S_T12"]["gap_ratio"] == 2.0
    assert found["S_T11"]["gap_ratio"] == 1.0
    assert found["S_T12"]["levels_skipped"] == 0, "T13 is no level that one expects"


def test_exchanged_levels_are_out_of_order():
    cases = [at("L1", 300), at("L3", 270), at("L2", 240), at("L4", 210)]
    found = neighbourhood(cases, GRID)
    assert [found[f"S_{level}"]["in_order"] for level in ("L1", "L2", "L3")] == [True, False, True]


def test_vertebrae_cut_off_by_the_border_are_no_measure():
    cases = [at("L1", 300, border=True), at("L2", 270, 8000), at("L3", 240, 10000)]
    found = neighbourhood(cases, GRID)
    assert "gap_mm" not in found["S_L1"]
    assert "volume_ratio" not in found["S_L1"]
    assert found["S_L2"]["volume_ratio"] == 0.8


def test_sacrum_and_unnamed_vertebrae_are_passed_over():
    unnamed = Case("S_label7", SCAN, None, 7, 9000, (1, 9, 1, 9, 1, 9), "m")
    found = neighbourhood([at("L5", 60), at("S1", 20), unnamed], GRID)
    assert found == {"S_L5": {}, "S_S1": {}, "S_label7": {}}
