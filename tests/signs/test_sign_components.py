"""Sizes and shapes of components, and depths below endplates, against what was drawn."""

from __future__ import annotations

import numpy as np
import pytest
from phantoms import Body, amid

from radiomics_vert.signs import prepare_spine
from radiomics_vert.signs.components import connected, foci, reaching
from radiomics_vert.signs.depths import plate_depths

SPACING = (3.0, 0.5, 1.0)


def test_boxes_have_their_volumes_lengths_and_directions():
    mask = np.zeros((9, 40, 30), bool)
    mask[1:3, 4:24, 5:8] = True  # 6 x 10 x 3 mm
    mask[5:8, 30:34, 20:22] = True  # 9 x 2 x 2 mm
    found = connected(mask, SPACING)
    assert found.mm3.tolist() == [180.0, 36.0]
    np.testing.assert_allclose(found.lengths, [[10, 6, 3], [9, 2, 2]])
    np.testing.assert_allclose(np.abs(found.directions[0]), np.eye(3)[[1, 2, 0]], atol=1e-12)
    np.testing.assert_allclose(np.abs(found.directions[1][0]), [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(found.centroids[0], [6.0, 6.75, 4.5])
    assert found.linearity[0] == pytest.approx(1 - 6 / 10)
    assert found.planarity[0] == pytest.approx(1 - 3 / 6)
    assert found.elongation[0] == pytest.approx(10 / 3)
    assert found.labels[1, 4, 5] == 1
    assert found.labels[5, 30, 20] == 2
    assert (found.mask == mask).all()


def test_small_components_are_left_out_and_corners_join_where_asked():
    mask = np.zeros((7, 8, 9), bool)
    mask[1, 1, 1] = mask[2, 2, 2] = True
    assert len(connected(mask, SPACING)) == 1
    assert len(connected(mask, SPACING, neighbours=6)) == 2
    mask[3:6, 3:7, 3:8] = True
    found = connected(mask, (1.0, 1.0, 1.0), least_mm3=2.0, neighbours=6)
    assert found.mm3.tolist() == [60.0]
    assert found.mask.sum() == 60
    assert len(foci(mask, (1.0, 1.0, 1.0))) == 1
    assert len(foci(mask, (1.0, 0.5, 1.0))) == 0


def test_an_empty_mask_has_no_components():
    found = connected(np.zeros((7, 8, 9), bool), SPACING)
    assert len(found) == 0
    assert not found.mask.any()
    assert found.lengths.shape == (0, 3)


def test_depths_follow_tilted_and_lateral_endplates():
    column = amid(Body(heights=(20.0, 23.0, 26.0), lateral_deg=6.0), neighbours=1, tilt=10.0)
    spine = prepare_spine(column.scan((1.0, 1.0, 1.0), region="body"), "CT")
    vertebra = spine.vertebrae[1]
    depths = plate_depths(vertebra, spine.outlines[vertebra.label], vertebra.body)
    assert depths.superior.shape == (vertebra.body.sum(),)
    assert np.quantile(depths.nearer, 0.02) == pytest.approx(0.5, abs=0.8)
    x = vertebra.frame.to_local(vertebra.points(vertebra.body))[:, 0]
    for side in (x < -15, x > 15):
        assert depths.superior[side].min() == pytest.approx(0.3, abs=1.2)
        assert depths.inferior[side].min() == pytest.approx(0.3, abs=1.2)
    assert depths.height.max() > 26


def test_areas_along_the_surface_alone_are_left_out():
    mask = np.zeros((6, 8, 9), bool)
    mask[:, :2, 0] = mask[2, 5, :5] = True
    deep = np.zeros(mask.shape, bool)
    deep[1:5, 2:7, 2:8] = True
    areas = connected(mask, SPACING)
    kept = reaching(areas, deep)
    assert kept.sum() == 5
    assert kept[2, 5, :5].all()
    # A body too thin for a middle keeps what it has.
    np.testing.assert_array_equal(reaching(areas, np.zeros_like(deep)), mask)
