"""Linear, triangular or focal: three shapes on fine, thick-slice and oblique grids, and what lies between."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from signal_phantoms import FLUID, balls, cut_wedge, draw, paint, plate

from radiomics_vert.signs import measure_spine, registry
from radiomics_vert.signs.edema import shape_flags
from radiomics_vert.signs.fluid_shape import LINEAR, TAPER, TRIANGULAR, LateralShape, shape_of
from radiomics_vert.signs.nouns import Absent

KINDS = ("linear", "triangular", "focal")


def bent(along: float, thick: float, sag: float):
    """A line of even thickness that follows a concave endplate."""

    def texture(x, p, top, bottom):
        deep = top - 2.5 - sag * (1 - (2 * p / along) ** 2)
        inside = (np.abs(x) <= 12) & (np.abs(p) <= along / 2) & (deep >= 0) & (deep <= thick)
        return np.where(inside, FLUID, 1.0)

    return texture


def oval(lateral: float, along: float, thick: float, deep: float):
    """An ellipsoid of three half axes at a depth."""

    def texture(x, p, top, bottom):
        far = (x / lateral) ** 2 + (p / along) ** 2 + ((top - deep) / thick) ** 2
        return np.where(far <= 1, FLUID, 1.0)

    return texture


SHAPES = {
    "line 20 x 4": (plate(FLUID, 24, 20, (3, 7)), "linear"),
    "line 20 x 2": (plate(FLUID, 24, 20, (3, 5)), "linear"),
    "line 14 x 4": (plate(FLUID, 20, 14, (3, 7)), "linear"),
    "line 20 x 3, tilted 12 deg": (plate(FLUID, 24, 20, (5, 8), 12), "linear"),
    "line 20 x 3, bent by 1.5": (bent(20, 3, 1.5), "linear"),
    "line 20 x 3, bent by 3": (bent(20, 3, 3), "linear"),
    "line 16 x 4, bent by 2": (bent(16, 4, 2), "linear"),
    "triangle 16 x 10, front": (cut_wedge(FLUID, 20, 16, (10, 0)), "triangular"),
    "triangle 20 x 8, front": (cut_wedge(FLUID, 20, 20, (8, 0)), "triangular"),
    "triangle 24 x 6, front": (cut_wedge(FLUID, 20, 24, (6, 0)), "triangular"),
    "triangle 20 x 8, back": (cut_wedge(FLUID, 20, 20, (8, 0), 1.0), "triangular"),
    "triangle 20 x 8, apex down": (cut_wedge(FLUID, 20, 20, (8, 0), 0.5), "triangular"),
    "triangle 14 x 8, apex down": (cut_wedge(FLUID, 20, 14, (8, 0), 0.5), "triangular"),
    "ball of 10": (balls(FLUID, 5, (0, 0, 9)), "focal"),
    "ball of 8 aside": (balls(FLUID, 4, (9, 3, 7)), "focal"),
    "block 8 x 8": (plate(FLUID, 10, 8, (3, 11)), "focal"),
    "block 12 x 6": (plate(FLUID, 16, 12, (3, 9)), "focal"),
    "oval 14 x 7": (oval(8, 7, 3.5, 7), "focal"),
    # Long from side to side, a dot on a sagittal picture.
    "rod across": (plate(FLUID, 24, 5, (3, 8)), "focal"),
}
# By name: grid, lean (deg), turn about the own axis (deg).
GRIDS = {
    "1 mm": ("1 mm", 6.0, 0.0),
    "sagittal 4 mm": ("sagittal 4 mm", 6.0, 0.0),
    "1 mm, oblique": ("1 mm", 15.0, 12.0),
    "sagittal 4 mm, oblique": ("sagittal 4 mm", 15.0, 12.0),
}


def measured(texture, grid: str = "1 mm", lean: float = 6.0, turn: float = 0.0):
    """The fluid signs of the vertebra that is painted, and the codes of those that are absent."""
    drawing = draw(grid, bend=lean, turn=turn)
    scan = replace(drawing.spine.scan, image=paint(drawing, texture, 100))
    table = measure_spine(replace(drawing.spine, scan=scan, sequence="STIR"))
    case = table.values.iloc[1]
    absences = table.absences[table.absences.case_id == case.case_id]
    return case, dict(zip(absences.sign, absences.code, strict=True))


def kind_of(values) -> str:
    flags = [values[f"fluid_{kind}"] for kind in KINDS]
    assert sorted(flags) == [0, 0, 1], flags
    return KINDS[flags.index(1)]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", SHAPES)
def test_three_shapes_are_told_apart(name, grid):
    texture, expected = SHAPES[name]
    values, _ = measured(texture, *GRIDS[grid])
    assert kind_of(values) == expected


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(("thin", "expected"), [(0, "triangular"), (2, "triangular"), (4, "linear")])
def test_a_wedge_that_is_cut_off_is_triangular_down_to_a_quarter(grid, thin, expected):
    """20 mm long, 8 mm at the front; between a quarter and a half the grid decides."""
    values, _ = measured(cut_wedge(FLUID, 20, 20, (8, thin)), *GRIDS[grid])
    assert kind_of(values) == expected


@pytest.mark.parametrize(("along", "expected"), [(10, "focal"), (14, "focal"), (22, "linear")])
def test_a_plate_becomes_a_line_at_three_times_its_thickness(along, expected):
    values, _ = measured(plate(FLUID, 20, along, (3, 9)))
    assert kind_of(values) == expected


def test_only_the_largest_collection_near_an_endplate_has_a_shape():
    ball, line, far = (
        balls(FLUID, 3.5, (-12, 0, 6)),
        plate(FLUID, 14, 20, (3, 6)),
        plate(FLUID, 9, 9, (10, 16)),
    )

    def both(one, other):
        return lambda *place: np.maximum(one(*place), other(*place))

    assert kind_of(measured(both(lambda x, *rest: line(x - 4, *rest), ball))[0]) == "linear"
    # 486 mm3 in the middle of the body against 180 mm3 of the ball.
    assert kind_of(measured(both(lambda x, *rest: far(x - 10, *rest), ball))[0]) == "focal"
    assert (
        kind_of(measured(both(lambda x, *rest: far(x - 12, *rest), plate(FLUID, 8, 20, (3, 6))))[0])
        == "linear"
    )


def test_coarse_voxels_tell_a_line_but_no_triangle_from_a_focus():
    values, codes = measured(cut_wedge(FLUID, 20, 16, (10, 0)), "axial 3 mm")
    assert values.fluid_score > 0
    assert values.fluid_linear == 0
    assert codes["fluid_triangular"] == codes["fluid_focal"] == "RV338"
    assert kind_of(measured(plate(FLUID, 24, 20, (3, 7)), "axial 3 mm")[0]) == "linear"


def test_without_fluid_no_shape():
    values, codes = measured(lambda x, p, top, bottom: np.ones(np.broadcast(x, p, top).shape))
    assert values.fluid_score == 0
    assert {codes[f"fluid_{kind}"] for kind in KINDS} == {"RV338"}


# Arithmetic --------------------------------------------------------------------------------------


def filled(inside) -> np.ndarray:
    p, z = np.meshgrid(*[np.arange(-40, 40, 0.5) + 0.25] * 2)
    return np.stack([p, z], axis=-1)[inside(p, z)]


# Large shapes, because points 0.5 mm apart round small ones off.
@pytest.mark.parametrize("angle", [0, 17, 30, 45, 71])
@pytest.mark.parametrize(
    ("inside", "triangularity", "taper"),
    [
        (lambda p, z: (abs(p) <= 30) & (abs(z) <= 12), 0.75, 0.0),
        (lambda p, z: (p / 36) ** 2 + (z / 18) ** 2 <= 1, 27 / (4 * np.pi**2), 0.284),
        (lambda p, z: (p >= -27) & (abs(z) <= (27 - p) / 3), 1.0, 0.577),
        (lambda p, z: (p >= -27) & (z >= -12) & (z <= (27 - p) / 2 - 12), 1.0, 0.577),
    ],
    ids=["rectangle", "ellipse", "triangle", "right triangle"],
)
def test_the_moments_are_those_of_geometry(inside, triangularity, taper, angle):
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    shape = shape_of(filled(lambda p, z: inside(cos * p + sin * z, cos * z - sin * p)))
    assert shape.triangularity == pytest.approx(triangularity, abs=0.02)
    # At 45 degrees a millimetre holds two or three rows of points: it moves by half of the limit at most.
    assert shape.taper == pytest.approx(taper, abs=TAPER / 2)


def test_slenderness_is_length_over_thickness():
    shape = shape_of(filled(lambda p, z: (abs(p) <= 10) & (abs(z) <= 2.5)))
    assert shape.slenderness == pytest.approx(4)
    assert shape.thickness == pytest.approx(5)


def test_the_limits_belong_to_the_shape_they_name():
    def kind(slenderness, triangularity, taper, thickness=6.0):
        return LateralShape(slenderness, triangularity, taper, thickness).kind(2.0)

    assert kind(2.0, TRIANGULAR, TAPER) == kind(9.0, TRIANGULAR, TAPER) == "triangular"
    assert kind(LINEAR, TRIANGULAR - 1e-6, TAPER) == kind(LINEAR, 1.0, TAPER - 1e-6) == "linear"
    assert kind(LINEAR - 1e-6, TRIANGULAR - 1e-6, TAPER) == "focal"
    # Thinner than three voxels.
    assert kind(LINEAR, 1.0, 0.5, thickness=5.99) == "linear"
    assert kind(LINEAR - 1e-6, 1.0, 0.5, thickness=5.99) is None


def test_one_voxel_has_a_shape():
    assert shape_of(np.zeros((1, 2))).kind(0.1) == "focal"


def test_exactly_one_flag_is_set():
    for kind in KINDS:
        assert shape_flags(kind) == {f"fluid_{each}": float(each == kind) for each in KINDS}
    unseen = shape_flags(None)
    assert unseen["fluid_linear"] == 0
    assert isinstance(unseen["fluid_focal"], Absent)


def test_the_registry_gives_the_share_of_each_shape():
    for kind, count in (("linear", 16), ("triangular", 5), ("focal", 2)):
        sign = registry()[f"fluid_{kind}"]
        # Only one of the three can be high, and the seed names the line.
        assert sign.direction == ("osteoporotic" if kind == "linear" else "none")
        assert sign.rows == (36,)
        assert f"{kind} {count}" in sign.reference.lower()
