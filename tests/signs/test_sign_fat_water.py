"""Fat, water and diffusion: units, formulas by hand, abnormal parts, reasons for absence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from signal_phantoms import draw, paint, plain, slab

from radiomics_vert.signs import measure_spine
from radiomics_vert.signs.fat_water import adc_unit, fat_fraction, fat_unit, signal_drop

SHIFT, PART, FAT = ("sir", "drop"), ("sir_roi", "drop_roi"), ("ff", "ff_roi", "ff_ratio")


def painted(sequence: str, marrow, normal: float, **companions):
    drawing = draw("3 mm")
    others = {
        name: paint(drawing, texture, level, seed=1, fluid=0.1)
        for name, (level, texture) in companions.items()
    }
    image = paint(drawing, marrow, normal, fluid=0.1)
    return replace(
        drawing.spine, scan=replace(drawing.spine.scan, image=image, companions=others), sequence=sequence
    )


def values(spine):
    return measure_spine(spine).values.iloc[1]


def reasons(spine) -> dict[str, str]:
    absences = measure_spine(spine).absences
    own = absences[absences.case_id == spine.vertebrae[1].case_id]
    return dict(zip(own.sign, own.code, strict=True))


def test_drop_of_published_ratios():
    assert [round(signal_drop(ratio), 6) for ratio in (0.65, 0.82, 1.0, 1.08)] == [35, 18, 0, -8]


def test_fat_fraction_by_hand():
    np.testing.assert_allclose(fat_fraction([24.0, 1.0, 0.0], [76.0, 3.0, 0.0]), [0.24, 0.25, np.nan])


@pytest.mark.parametrize(("top", "factor"), [(0.95, 1.0), (1.1, 1.0), (95.0, 0.01), (104.0, 0.01)])
def test_units_of_fat_fraction_maps(top, factor):
    assert fat_unit(np.linspace(0, top, 1001)) == factor


def test_other_maps_are_no_fat_fractions():
    for image in (np.linspace(0, 950, 100), np.zeros(100), np.full(3, np.nan)):
        assert fat_unit(image).code == "RV344"


@pytest.mark.parametrize(("value", "factor"), [(0.0008, 1e3), (1.6, 1.0), (420.0, 1e-3), (2900.0, 1e-3)])
def test_units_of_diffusion_maps(value, factor):
    assert adc_unit(np.full(5, value)) == factor


def test_other_maps_are_no_diffusion_coefficients():
    for value in (0.02, 20.0, 9000.0, -3.0):
        assert adc_unit(np.full(5, value)).code == "RV344"
    assert adc_unit(np.zeros(0)).code == "RV344"


def test_published_directions_of_chemical_shift():
    """Fat in the marrow lowers opposed-phase signal: benign below, malignant above a ratio of 0.8 to 1."""
    benign = values(painted("OPPOSED_PHASE", plain, 240, IN_PHASE=(400.0, plain)))
    malignant = values(painted("OPPOSED_PHASE", slab(1.0, 99), 240, IN_PHASE=(400.0, slab(0.6, 99))))
    assert benign.sir == pytest.approx(0.6, abs=0.02)
    assert benign["drop"] == pytest.approx(40, abs=2)
    assert malignant.sir == pytest.approx(1.0, abs=0.02)
    assert malignant["drop"] == pytest.approx(0, abs=2)


def test_the_abnormal_part_is_dark_on_t1_where_it_is_given():
    part = {"IN_PHASE": (400.0, slab(0.8, 99))}
    spine = painted("OPPOSED_PHASE", slab(1.6, 11), 240, **part, T1=(500.0, slab(0.4, 11)))
    found = values(spine)
    assert found.sir_roi == pytest.approx(1.6 * 240 / 320, abs=0.08)
    assert found.sir == pytest.approx(240 / 320, abs=0.1)
    # Without T1, all of it is darker in phase.
    alone = replace(spine.scan, companions={"IN_PHASE": spine.scan.companions["IN_PHASE"]})
    assert values(replace(spine, scan=alone)).sir_roi == pytest.approx(found.sir, abs=0.1)


def test_no_abnormal_part_is_absent_not_zero():
    codes = reasons(painted("OPPOSED_PHASE", plain, 240, IN_PHASE=(400.0, plain)))
    assert {codes[sign] for sign in PART} == {"RV338"}
    assert not set(SHIFT) & set(codes)
    assert reasons(painted("FAT_FRACTION", plain, 0.4))["ff_roi"] == "RV338"


def test_the_unit_of_the_map_does_not_matter():
    share, percent = (
        values(painted("FAT_FRACTION", slab(0.2, 11), level)).loc[list(FAT)].to_numpy(float)
        for level in (0.4, 40.0)
    )
    np.testing.assert_allclose(share, percent, rtol=1e-6)
    assert share[1] == pytest.approx(0.08, abs=0.015)
    maps = [values(painted("ADC", slab(2.0, 99), level)).adc_med for level in (5e-4, 0.5, 500.0)]
    np.testing.assert_allclose(maps, 1.0, atol=0.02)


def test_fat_and_water_images_give_the_fraction_of_a_dixon_scan():
    images = {"FAT": (90.0, slab(0.1, 99)), "WATER": (110.0, slab(191 / 110, 99)), "IN_PHASE": (200.0, plain)}
    spine = painted("OPPOSED_PHASE", slab(1.0, 99), 100, **images)
    found = values(spine)
    assert found.ff == pytest.approx(9 / 200, abs=0.01)
    assert found.ff_ratio == pytest.approx(0.1, abs=0.03)
    assert found.sir == pytest.approx(0.5, abs=0.02)
    assert values(replace(spine, sequence="IN_PHASE")).ff == pytest.approx(found.ff)
    only = {name: spine.scan.companions[name] for name in ("FAT", "IN_PHASE")}
    codes = reasons(replace(spine, scan=replace(spine.scan, companions=only)))
    assert {codes[sign] for sign in FAT} == {"RV339"}


def test_missing_images_and_references_are_named():
    spine = painted("OPPOSED_PHASE", plain, 240, T2=(400.0, plain))
    codes = reasons(spine)
    assert {codes[sign] for sign in (*SHIFT, *PART)} == {"RV339"}
    alone = replace(painted("FAT_FRACTION", slab(0.2, 11), 0.4), references={})
    assert {reasons(alone)[sign] for sign in ("ff_roi", "ff_ratio")} == {"RV333"}
    assert values(alone).ff > 0.1
    assert {reasons(replace(spine, sequence="ADC"))[sign] for sign in ("sir", "ff")} == {"RV332"}


def test_scale_of_both_phases_is_free():
    spine = painted("OPPOSED_PHASE", slab(1.05, 11), 200, IN_PHASE=(400.0, slab(0.5, 11)))
    scan = spine.scan
    scaled = replace(scan, image=9 * scan.image, companions={"IN_PHASE": 9 * scan.companions["IN_PHASE"]})
    one, other = (
        values(replace(spine, scan=each))[[*SHIFT, *PART]].to_numpy(float) for each in (scan, scaled)
    )
    np.testing.assert_allclose(one, other, rtol=1e-6)
