"""Gas in the body: volume, shape, depth, direction; no gas is 0 ml, and has no shape."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bone_phantoms import Drawing, bone_scan, ellipsoid
from phantoms import Body, amid

from radiomics_vert.cohort import Scan, examine_scan, load_scheme
from radiomics_vert.signs import gas, load_sign_scan, measure_scan, prepare_spine
from radiomics_vert.signs.nouns import Absent

PLAIN = Body(arch=False)
GRID = (1.5, 1.5, 1.5)
CLEFT = ellipsoid((2, 0, 6), (10, 9, 3), -900, tilt=15)


def scan(*paints, **how):
    column = amid(PLAIN, neighbours=1, lordosis=(6.0, 6.0), tilt=8.0)
    return bone_scan(column, {2: paints}, Drawing(GRID, samples=2, **how))


@pytest.fixture(scope="module")
def cleft():
    return scan(CLEFT, holes=True, noise=10.0)


def test_holes_of_the_mask_are_filled(cleft):
    """Segmentations take gas for air; then the body has a hole where the cleft is."""
    assert (cleft.labels[cleft.image < -250] == 0).all()
    whole = gas.measure(prepare_spine(scan(CLEFT, noise=10.0), "CT"))[2]
    holed = gas.measure(prepare_spine(cleft, "CT"))[2]
    assert holed["gas_ml"] == pytest.approx(whole["gas_ml"], rel=0.1)
    assert holed["gas_ml"] == pytest.approx(1.13, abs=0.3)
    assert holed["gas_parallel_deg"] == pytest.approx(15, abs=4)
    assert holed["gas_span"] == pytest.approx(20 / 44, abs=0.07)


def test_gas_of_a_disc_is_not_taken_into_the_body():
    """A hollow endplate is a ring around the disc in slices across the axis; these are not filled."""
    hollow = Body(arch=False, heights=(26.0, 16.0, 26.0), superior_share=1.0)
    column = amid(hollow, PLAIN, neighbours=1)
    drawn = bone_scan(column, {}, Drawing(GRID, samples=1))
    middle = prepare_spine(drawn, "CT").vertebra(2)
    x, p, z = middle.local_grid()
    disc = (x**2 + p**2 < 36) & (z > 6) & (z < 16) & ~middle.body
    image = drawn.image.copy()
    image[middle.box][disc] = -900
    spine = prepare_spine(replace(drawn, image=image), "CT")
    assert disc.sum() > 100
    assert gas.gas_volume(spine, spine.vertebra(2)) == 0


def test_no_gas_is_zero_and_has_no_shape(cleft):
    found = measure_scan(cleft, "CT")
    values = found.values.set_index("case_id")
    plain = values.loc["phantom_L5"]
    assert plain.gas_ml == 0
    absent = found.absences[found.absences.case_id == "phantom_L5"].set_index("sign")
    for sign in ("gas_linearity", "gas_depth_rel", "gas_parallel_deg", "gas_span"):
        assert np.isnan(plain[sign])
        assert absent.code[sign] == "RV338"


def test_single_dark_voxels_are_noise():
    drawn = scan()
    spine = prepare_spine(drawn, "CT")
    middle = spine.vertebra(2)
    places = np.argwhere(spine.trabecular[2])[::400] + [axis.start for axis in middle.box]
    image = drawn.image.copy()
    image[tuple(places.T)] = -900
    noisy = prepare_spine(replace(drawn, image=image), "CT")
    assert len(places) > 5
    assert gas.gas_volume(noisy, middle) == 0


def test_a_ball_is_round_and_has_no_direction():
    values = gas.measure(prepare_spine(scan(ellipsoid((0, 0, -4), (6, 6, 6), -900)), "CT"))[2]
    assert values["gas_linearity"] < 0.1
    assert isinstance(values["gas_parallel_deg"], Absent)
    assert values["gas_depth_rel"] == pytest.approx(17 / 26, abs=0.05)


def test_gas_is_refused_on_mr(cleft):
    found = measure_scan(cleft, "T2")
    assert found.values.gas_ml.isna().all()
    assert set(found.absences.code[found.absences.sign == "gas_ml"]) == {"RV332"}


@pytest.mark.data
def test_a_noisy_unfractured_scan_holds_no_gas_and_no_certain_lysis(real_data: Path):
    """Sharp kernel: single voxels below -200 HU in every body, and a lytic limit below that of fat."""
    files = (real_data / f"ct_verse014/sub-verse014_{name}.nii.gz" for name in ("ct", "seg-vert_msk"))
    cases, _ = examine_scan(Scan("x", "x", "CT", *files, load_scheme("verse")))
    found = measure_scan(load_sign_scan(cases), "CT")
    assert (found.values.gas_ml == 0).all()
    own = found.absences[found.absences.sign == "lytic_frac"]
    assert own.reason.str.contains("too noisy").all()
    assert len(own) == len(found.values)
