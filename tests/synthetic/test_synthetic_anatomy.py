"""Shapes, stacking and tissue fields of single vertebrae."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from radiomics_vert.cohort.levels import Level
from radiomics_vert.synthetic.anatomy import endplates, intact, stack
from radiomics_vert.synthetic.shapes import PARTS, body_distance, posterior_distance
from radiomics_vert.synthetic.tissue import build_fields

SPINE = [Level.T10, Level.T11, Level.T12, Level.L1, Level.L2, Level.L3, Level.L4, Level.L5]


def lattice(step: float = 1.0) -> list[np.ndarray]:
    axes = (np.arange(-32, 32.1, step), np.arange(-27, 27.1, step), np.arange(-22, 22.1, step))
    return [axis.astype(np.float32) for axis in np.meshgrid(*axes, indexing="ij")]


def height_at(vertebra, x, y) -> float:
    z = np.arange(-25, 25, 0.02, dtype=np.float32)
    inside = z[body_distance(vertebra, np.full_like(z, x), np.full_like(z, y), z) < 0]
    # From endplate to endplate: in between, the hollow of the wall may lie outside the body.
    return float(inside.max() - inside.min())


def test_volume_of_l3():
    """Of an ellipse of the same width and depth with the same height: between 85 and 115 %."""
    vertebra = intact(Level.L3, 1.0)
    volume = (body_distance(vertebra, *lattice()) < 0).sum()
    assert 0.85 < volume / (np.pi / 4 * 44.0 * 32.0 * 27.3) < 1.15


@pytest.mark.parametrize("superior_share", [0.0, 0.5, 1.0])
def test_heights_are_where_they_are_set(superior_share):
    vertebra = replace(
        intact(Level.L2, 1.0), anterior=17.0, middle=20.0, posterior=26.0, superior_share=superior_share
    )
    for u, expected in ((0.05, 17.0), (0.5, 20.0), (0.95, 26.0)):
        assert height_at(vertebra, 0.0, (u - 0.5) * vertebra.depth) == pytest.approx(expected, abs=0.1)


def test_lateral_angle_lowers_one_side():
    vertebra = replace(intact(Level.L2, 1.0), lateral_angle=8.0)
    left, right = height_at(vertebra, 12.0, 0.0), height_at(vertebra, -12.0, 0.0)
    assert np.degrees(np.arctan((left - right) / 24.0)) == pytest.approx(8.0, abs=0.5)


def test_angled_depression_is_a_v_and_concave_a_bowl():
    collapsed = replace(intact(Level.L2, 1.0), middle=18.0, superior_share=1.0)
    quarter = 0.25 * collapsed.depth
    concave = height_at(collapsed, 0.0, quarter)
    angled = height_at(replace(collapsed, angled=True), 0.0, quarter)
    assert angled > concave + 1.0


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_convex_wall_is_an_arc_and_a_fragment_a_triangle_of_what_height_is_left(share):
    vertebra = intact(Level.L2, 1.0)
    vertebra = replace(
        vertebra, **{name: share * getattr(vertebra, name) for name in ("anterior", "middle", "posterior")}
    )
    behind = np.arange(5.0, 30.0, 0.05, dtype=np.float32)
    back = endplates(vertebra)
    bottom, height = back.bottom[2], back.top[2] - back.bottom[2]

    def pushed(t: float, **what: float) -> float:
        at = np.full_like(behind, bottom + t * height)
        walls = [
            behind[body_distance(shape, np.zeros_like(behind), behind, at) < 0].max()
            for shape in (replace(vertebra, **what), vertebra)
        ]
        return float(walls[0] - walls[1])

    # A parabola keeps three quarters of its height half-way to its middle, a line half of it.
    assert pushed(0.5, bulge=4.0) == pytest.approx(4.0, abs=0.8)
    assert pushed(0.25, bulge=4.0) / pushed(0.5, bulge=4.0) == pytest.approx(0.75, abs=0.05)
    assert pushed(0.7, retropulsion=4.0) == pytest.approx(4.0, abs=0.8)
    assert pushed(0.35, retropulsion=4.0) / pushed(0.7, retropulsion=4.0) == pytest.approx(0.5, abs=0.06)
    assert pushed(0.85, retropulsion=4.0) / pushed(0.7, retropulsion=4.0) == pytest.approx(0.5, abs=0.06)


def test_posterior_parts_are_all_there_and_sided():
    x, y, z = lattice()
    distance, part = posterior_distance(intact(Level.L3, 1.0), x, y + 25, z)
    inside = distance < 0
    assert set(part[inside]) == set(range(len(PARTS)))
    for index, name in enumerate(PARTS):
        if name.endswith(("left", "right")):
            side = np.sign(x[inside & (part == index)].mean())
            assert side == (1 if name.endswith("left") else -1)  # LPS: left is positive


def test_spine_stacks_with_lordosis_and_right_handed_axes():
    vertebrae = [intact(level, 1.0) for level in SPINE]
    poses = stack(vertebrae, np.array([1.0, 2.0, 3.0]), [0.0] * len(SPINE))
    assert poses[-1].centre == pytest.approx([1.0, 2.0, 3.0])
    gaps = [np.linalg.norm(a.centre - b.centre) for a, b in pairwise(poses)]
    assert 26 < min(gaps) < max(gaps) < 42
    for pose in poses:
        assert pose.axes.T @ pose.axes == pytest.approx(np.eye(3), abs=1e-12)
        assert np.linalg.det(pose.axes) == pytest.approx(1.0)
    tilt = {level: np.degrees(np.arcsin(p.axes[1, 2])) for level, p in zip(SPINE, poses, strict=True)}
    assert 30 < tilt[Level.L1] - tilt[Level.L5] < 60  # lumbar lordosis


def test_a_wedge_bends_the_spine_forward():
    vertebrae = [intact(level, 1.0) for level in SPINE]
    wedged = [replace(v, anterior=16.0) if v.level is Level.L1 else v for v in vertebrae]
    straight, bent = (stack(spine, np.zeros(3), [0.0] * len(SPINE)) for spine in (vertebrae, wedged))

    def kyphosis(poses) -> float:
        return float(np.degrees(np.arcsin(poses[5].axes[1, 2]) - np.arcsin(poses[0].axes[1, 2])))

    assert 8 < kyphosis(bent) - kyphosis(straight) < 20


@pytest.mark.parametrize(("kind", "lytic", "blastic"), [("lytic", 0.4, 0.0), ("mixed", 0.25, 0.15)])
def test_lesions_fill_the_stated_share(kind, lytic, blastic):
    vertebra = replace(
        intact(Level.L3, 1.0), lesion_kind=kind, lytic_fraction=lytic, blastic_fraction=blastic, foci=3
    )
    fields = build_fields(vertebra, np.random.default_rng(0))
    x, y, z = lattice()
    inside = body_distance(vertebra, x, y, z) < 0
    points = (x[inside], y[inside], z[inside])
    assert (fields.sample("lytic", points) > 0.5).mean() == pytest.approx(lytic, abs=0.02)
    assert (fields.sample("blastic", points) > 0.5).mean() == pytest.approx(blastic, abs=0.02)
    both = fields.sample("lytic", points) * fields.sample("blastic", points)
    assert both.mean() < 0.01


def test_band_lies_under_the_superior_endplate():
    vertebra = replace(intact(Level.L3, 1.0), t1_pattern="band", t1_fraction=0.3)
    fields = build_fields(vertebra, np.random.default_rng(1))
    z = np.array([-10.0, 0.0, 9.0], np.float32)
    zero = np.zeros_like(z)
    below, middle, above = fields.sample("dark", (zero, zero, z))
    assert above > 0.8
    assert below < 0.05
    assert middle < 0.4


def test_texture_is_standard_and_striated():
    fields = build_fields(replace(intact(Level.L3, 1.0), striation=1.6), np.random.default_rng(2))
    assert fields.texture.mean() == pytest.approx(0, abs=1e-3)
    assert fields.texture.std() == pytest.approx(1, abs=1e-3)
    along, across = (np.abs(np.diff(fields.texture, axis=axis)).mean() for axis in (2, 0))
    assert along < 0.6 * across
