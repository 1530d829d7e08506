"""Enhancement: formulas by hand, even and uneven patterns, reasons for absence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from signal_phantoms import draw, halves, paint, plain, slab

from radiomics_vert.signs import measure_spine
from radiomics_vert.signs.enhancement import bimodality, relative_enhancement

SIGNS = ["enh_rel", "enh_rcov", "enh_nonfrac", "enh_hifrac", "enh_bimodality"]


def painted(marrow, normal: float = 260.0, before: float = 200.0, noise: float = 0.02):
    drawing = draw("3 mm")
    scan = replace(
        drawing.spine.scan,
        image=paint(drawing, marrow, normal, noise=noise),
        companions={"T1": paint(drawing, plain, before, noise=noise, seed=1)},
    )
    return replace(drawing.spine, scan=scan, sequence="T1_CONTRAST")


def values(spine):
    return measure_spine(spine).values.iloc[1]


def reasons(spine) -> dict[str, str]:
    absences = measure_spine(spine).absences
    own = absences[absences.case_id == spine.vertebrae[1].case_id]
    return dict(zip(own.sign, own.code, strict=True))


def test_relative_enhancement_by_hand():
    found = relative_enhancement([130.0, 90.0, 50.0, 5.0], [100.0, 100.0, 0.0, -1.0])
    np.testing.assert_allclose(found, [0.3, -0.1])


def test_sarle_coefficient_of_known_distributions():
    assert bimodality([-1.0, 1.0]) == pytest.approx(1)
    # Bernoulli of any share is the extreme: skewness squared + 1 equals kurtosis.
    assert bimodality([0.0] * 9 + [1.0]) == pytest.approx(1)
    assert bimodality(np.linspace(0, 1, 20001)) == pytest.approx(5 / 9, abs=1e-3)
    assert bimodality(np.random.default_rng(1).normal(size=100_000)) == pytest.approx(1 / 3, abs=0.01)
    assert np.isnan(bimodality([2.0, 2.0, 2.0]))


def test_even_and_uneven_enhancement_differ():
    even, uneven = values(painted(slab(1.6 / 1.3, 99))), values(painted(halves(1.02 / 1.3, 1.9 / 1.3, 13)))
    assert even.enh_rel == pytest.approx(2, abs=0.05)
    assert even.enh_rcov < 0.1 < 0.3 < uneven.enh_rcov
    assert even.enh_nonfrac < 0.01 < 0.4 < uneven.enh_nonfrac
    assert uneven.enh_hifrac > 0.4
    assert uneven.enh_bimodality > 0.85 > 0.5 > even.enh_bimodality


def test_both_images_share_one_scale_of_intensities():
    spine = painted(halves(1.02 / 1.3, 1.9 / 1.3, 13))
    scan = spine.scan
    scaled = replace(scan, image=50 * scan.image, companions={"T1": 50 * scan.companions["T1"]})
    one, other = (values(replace(spine, scan=each))[SIGNS].to_numpy(float) for each in (scan, scaled))
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_a_companion_that_is_not_before_contrast_does_not_do():
    spine = painted(slab(1.2, 99))
    for companions in ({}, {"T2": spine.scan.companions["T1"]}):
        codes = reasons(replace(spine, scan=replace(spine.scan, companions=companions)))
        assert {codes[sign] for sign in SIGNS} == {"RV339"}


def test_tissue_that_does_not_enhance_is_no_divisor():
    codes = reasons(painted(plain, normal=200.0))
    assert codes["enh_rel"] == codes["enh_rcov"] == "RV338"
    assert "enh_nonfrac" not in codes
    found = values(painted(plain, normal=200.0))
    assert found.enh_nonfrac > 0.9


def test_without_references_what_needs_none_remains():
    spine = replace(painted(slab(1.2, 99)), references={})
    codes = reasons(spine)
    assert codes["enh_rel"] == codes["enh_hifrac"] == "RV333"
    assert values(spine)[["enh_rcov", "enh_nonfrac", "enh_bimodality"]].notna().all()


def test_voxels_without_signal_before_do_not_count():
    spine = painted(slab(1.2, 99))
    dark = replace(spine.scan, companions={"T1": np.zeros_like(spine.scan.image)})
    assert {reasons(replace(spine, scan=dark))[sign] for sign in SIGNS} == {"RV338"}
