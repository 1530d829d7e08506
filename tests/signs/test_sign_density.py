"""Lysis, sclerosis and fracture lines against what was drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bone_phantoms import Drawing, bone_scan, ellipsoid, plate
from phantoms import Body, amid
from scipy.ndimage import grey_dilation

from radiomics_vert.signs import measure_scan, prepare_spine
from radiomics_vert.signs.density import blastic_voxels
from radiomics_vert.signs.lysis import lytic_areas

PLAIN = Body(arch=False)
GRID = (1.4, 1.4, 1.4)
AREAS = ["lytic_frac", "lytic_largest_ml", "blastic_frac"]


def drawn(*paints, body=PLAIN, noise=15.0, grid=GRID):
    column = amid(body, PLAIN, neighbours=1, lordosis=(6.0, 6.0), tilt=8.0)
    return bone_scan(column, {2: paints}, Drawing(grid, samples=1, noise=noise))


def row(scan):
    return measure_scan(scan, "CT").values.iloc[1]


def test_lytic_areas_have_the_drawn_volumes():
    spine = prepare_spine(
        drawn(ellipsoid((9, 0, 0), (5, 5, 5), 20.0), ellipsoid((-9, 0, 0), (4, 4, 4), 20.0)), "CT"
    )
    areas = lytic_areas(spine, (1, 2))
    found = areas[2]
    np.testing.assert_allclose(found.mm3, [4 / 3 * np.pi * 125, 4 / 3 * np.pi * 64], rtol=0.2)
    assert len(areas[1]) == 0


def test_areas_below_a_tenth_of_a_millilitre_are_no_lysis():
    found = row(drawn(ellipsoid((5, 0, 0), (2.5, 2.5, 2.5), 20.0)))
    assert found.lytic_frac == 0
    assert found.lytic_largest_ml == 0


def test_a_vacuum_cleft_is_no_lysis():
    found = row(drawn(ellipsoid((0, 0, 2), (10, 9, 3), -900)))
    assert found.gas_ml > 0.8
    assert found.lytic_frac < 0.005


@pytest.mark.parametrize(("height", "seen"), [(8.5, False), (0.0, True)])
def test_impaction_below_the_fractured_endplate_is_no_sclerosis(height, seen):
    """The band lies 3 to 4 mm below the endplate or in the middle of the body."""
    fractured = Body(arch=False, heights=(26.0, 18.0, 26.0))
    band = ellipsoid((0, 0, 1.1), (8, 6, 0.9), 700.0) if height else ellipsoid((0, 0, -5), (8, 6, 3), 700.0)
    scan = drawn(band, body=fractured)
    found = row(scan)
    assert found.genant_grade >= 1
    spine = prepare_spine(scan, "CT")
    kept = blastic_voxels(spine, spine.vertebra(2))
    assert (kept.sum() > 60) == seen


# Volumes over white noise of 10, 30 and 60 HU, stated before the first run: for a radius of 5 mm and more
# 25 %, and 15 % more per millimetre of the slices above 1 (half a voxel of such a surface is 20 % at 2 mm).
LYTIC_GRIDS = {"1 mm": (1.0, 1.0, 1.0), "axial 2 mm": (2.0, 1.0, 1.0), "axial 4 mm": (4.0, 1.0, 1.0)}
NOISY = [
    pytest.param(grid, noise, marks=() if (grid, noise) == ("axial 2 mm", 60.0) else pytest.mark.slow)
    for grid in LYTIC_GRIDS
    for noise in (10.0, 30.0, 60.0)
]


@pytest.mark.parametrize(("grid", "noise"), NOISY)
def test_lytic_volumes_are_recovered_in_noise(grid, noise):
    spacing = LYTIC_GRIDS[grid]
    share = 0.25 + 0.15 * (max(spacing) - 1)
    for radius in (5.0, 7.0):
        ball = ellipsoid((3, 1, 0), (radius,) * 3, 40.0)
        found = row(drawn(ball, noise=noise, grid=spacing))
        true = 4 / 3 * np.pi * radius**3 / 1000
        assert found.lytic_largest_ml == pytest.approx(true, rel=share), (radius, grid, noise)


@pytest.mark.parametrize(("grid", "noise"), NOISY)
def test_noise_alone_is_no_lysis(grid, noise):
    assert measure_scan(drawn(noise=noise, grid=LYTIC_GRIDS[grid]), "CT").values.lytic_frac.max() < 0.005


def test_marrow_that_is_not_above_soft_tissue_makes_lysis_absent():
    column = amid(PLAIN, PLAIN, neighbours=1, lordosis=(6.0, 6.0))
    found = measure_scan(bone_scan(column, {}, Drawing(GRID, samples=1, noise=120.0, marrow=55.0)), "CT")
    own = found.absences[found.absences.case_id == found.values.case_id[1]].set_index("sign")
    assert own.code["lytic_frac"] == own.code["lytic_largest_ml"] == "RV338"
    assert "too noisy or marrow of" in own.reason["lytic_frac"]
    assert found.values.blastic_frac.notna().all()


def test_cortex_of_a_mask_drawn_too_wide_is_no_sclerosis():
    scan = drawn(grid=(1.0, 1.0, 1.0))
    wide = grey_dilation(scan.labels, size=(3, 3, 3))
    found = row(replace(scan, labels=np.where(scan.labels > 0, scan.labels, wide)))
    assert found.blastic_frac == 0
    dense = row(drawn(ellipsoid((2, 0, 0), (6, 6, 6), 600.0)))
    assert dense.blastic_frac > 0.03


def test_indistinct_lines_are_wider_than_sharp_ones():
    grid = (1.0, 1.0, 1.0)
    sharp, blurred = (row(drawn(plate(2, 2.0, 400, edge), grid=grid)) for edge in (0.0, 0.8))
    assert sharp.line_edge_width_mm < 2.0
    assert blurred.line_edge_width_mm == pytest.approx(3.5, abs=0.7)


def test_without_a_line_or_with_coarse_voxels_the_edge_is_absent():
    for paints, grid in (((), GRID), ((plate(0, 2.5, 500),), (3.0, 1.0, 1.0))):
        found = measure_scan(drawn(*paints, grid=grid), "CT")
        own = found.absences[found.absences.case_id == found.values.case_id[1]].set_index("sign")
        assert own.code["line_edge_width_mm"] == "RV338"


def test_areas_are_refused_on_mr_and_without_references():
    scan = drawn(ellipsoid((2, 0, 0), (6, 6, 6), 20.0))
    assert measure_scan(scan, "T1").values[AREAS].isna().all(axis=None)
    alone = replace(scan, labels=np.where(scan.labels == 2, scan.labels, 0))
    absent = measure_scan(alone, "CT").absences
    assert set(absent.code[absent.sign.isin(AREAS)]) == {"RV333"}
