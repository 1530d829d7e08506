"""Edema and fluid: formulas by hand, clefts of known shape, reasons for absence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from signal_phantoms import FLUID, balls, draw, paint, plain, plate, slab

from radiomics_vert.signs import Absent, measure_spine
from radiomics_vert.signs.edema import contrast_ratio
from radiomics_vert.signs.nouns import Layer

GRID = "3 mm"
SHAPES = ["fluid_linear", "fluid_triangular", "fluid_focal"]
SIGNS = ["edema_frac", "stir_ratio", "edema_cr", "fluid_score", *SHAPES]


def painted(marrow, sequence: str = "STIR", first=None, grid: str = GRID, layers=None):
    drawing = draw(grid)
    companions = {} if first is None else {"T1": paint(drawing, first, 400, seed=1)}
    scan = replace(drawing.spine.scan, image=paint(drawing, marrow, 100), companions=companions)
    if layers is not None:
        scan = replace(scan, layers=layers)
    return replace(drawing.spine, scan=scan, sequence=sequence)


def values(spine):
    return measure_spine(spine).values.iloc[1]


def reasons(spine) -> dict[str, str]:
    absences = measure_spine(spine).absences
    own = absences[absences.case_id == spine.vertebrae[1].case_id]
    return dict(zip(own.sign, own.code, strict=True))


def test_contrast_with_the_cord_by_hand():
    assert contrast_ratio(97.0, 100.0) == pytest.approx(-3 / 197)
    assert contrast_ratio(42.1, 100.0) == pytest.approx(-0.407, abs=5e-4)
    for faulty in (contrast_ratio(0.0, 5.0), contrast_ratio(5.0, -1.0)):
        assert isinstance(faulty, Absent)
        assert faulty.code == "RV344"


def test_acute_and_chronic_fractures_differ():
    acute, chronic = values(painted(slab(2.8, 13))), values(painted(plain))
    assert acute.edema_frac > 0.4 > 0.05 > chronic.edema_frac
    assert acute.stir_ratio > 2.5 > 1.05 > chronic.stir_ratio
    assert acute.edema_cr > 0 > chronic.edema_cr


def test_a_cleft_must_be_bright_near_an_endplate_and_dark_on_t1():
    linear = plate(FLUID, 24, 20, (3, 8))
    near = values(painted(linear))
    assert near.fluid_score > 4000
    assert near.fluid_linear == 1
    assert values(painted(plate(0.7 * FLUID, 24, 20, (3, 8)))).fluid_score == 0
    assert values(painted(plate(FLUID, 24, 20, (10.5, 15.5)))).fluid_score == 0
    assert values(painted(balls(FLUID, 2, (0, 0, 5)))).fluid_score == 0
    assert values(painted(balls(FLUID, 6, (0, 0, 9)))).fluid_linear == 0
    fat, water = (values(painted(linear, "T2", first=plate(t1, 24, 20, (3, 8)))) for t1 in (1.8, 0.4))
    assert fat.fluid_score == 0
    assert water.fluid_score == pytest.approx(near.fluid_score, rel=0.1)


def test_t2_without_t1_does_not_tell_fluid_from_fat():
    codes = reasons(painted(plate(FLUID, 24, 20, (3, 8)), "T2"))
    assert codes["fluid_score"] == codes["fluid_linear"] == "RV339"
    assert "edema_frac" not in codes


def test_no_fluid_has_a_score_of_zero_but_no_shape():
    found = painted(slab(2.8, 11))
    assert values(found).fluid_score == 0
    assert reasons(found)["fluid_linear"] == "RV338"


def test_fluid_comes_from_the_canal_where_no_mask_names_it():
    spine = painted(plate(FLUID, 24, 20, (3, 8)))
    layers = dict(spine.scan.layers)
    fluid = layers.pop("csf")
    # Half of this canal is cord, darker than fluid.
    canal = Layer(fluid.labels, (*fluid.values, *layers["cord"].values))
    found = values(replace(spine, scan=replace(spine.scan, layers=layers | {"canal": canal})))
    assert found.fluid_score == pytest.approx(values(spine).fluid_score, rel=0.15)
    assert reasons(replace(spine, scan=replace(spine.scan, layers=layers)))["fluid_score"] == "RV331"


def test_what_is_missing_is_named():
    spine = painted(slab(2.8, 11))
    layers = {name: layer for name, layer in spine.scan.layers.items() if name != "cord"}
    without = reasons(replace(spine, scan=replace(spine.scan, layers=layers)))
    assert without["edema_cr"] == "RV331"
    assert "stir_ratio" not in without
    alone = reasons(replace(spine, references={}))
    assert alone["edema_frac"] == alone["stir_ratio"] == alone["edema_cr"] == "RV333"
    assert reasons(replace(spine, sequence="T1"))["edema_frac"] == "RV332"
    tiny = {"cord": Layer(np.zeros_like(spine.scan.labels), (1,))}
    assert reasons(replace(spine, scan=replace(spine.scan, layers=tiny)))["edema_cr"] == "RV331"


def test_scale_of_intensities_is_free():
    spine = painted(plate(FLUID, 24, 20, (3, 8)), "T2", first=plate(0.4, 24, 20, (3, 8)))
    scan = spine.scan
    scaled = replace(scan, image=0.013 * scan.image, companions={"T1": 250 * scan.companions["T1"]})
    one, other = (values(replace(spine, scan=each))[SIGNS].to_numpy(float) for each in (scan, scaled))
    np.testing.assert_allclose(one, other, rtol=1e-6)
