"""Left is left: a phantom that is different on every side, stored in every orientation."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK as sitk

from radiomics_vert.imaging import Geometry, Image, LabelMap, label_regions
from radiomics_vert.imaging.mosaic import display_window, mosaic, voxel_outlines
from radiomics_vert.imaging.orientation import end_letters, obliquity, patient_axes, plane_across

ORIENTATIONS = [
    "".join(side[pick] for side, pick in zip(order, picks, strict=True))
    for order in permutations(("RL", "AP", "SI"))
    for picks in product((0, 1), repeat=3)
]
SPACING = (1.0, 2.0, 4.0)  # left-right, front-back, feet-head


def phantom() -> tuple[sitk.Image, sitk.Image]:
    """A block of 18 x 20 x 24 mm, label 3, in the middle; brighter to left, back and head."""
    x, y, z = np.meshgrid(np.arange(61), np.arange(41), np.arange(23), indexing="ij")
    image = (x + 3 * y + 7 * z).astype(np.int16).transpose(2, 1, 0)
    mask = np.zeros(image.shape, dtype=np.uint8)
    mask[8:14, 15:25, 21:39] = 3
    mask[16:18, 15:25, 21:39] = 4
    volumes = []
    for array in (image, mask):
        volume = sitk.GetImageFromArray(np.ascontiguousarray(array))
        volume.SetSpacing(SPACING)
        volume.SetOrigin((-30.0, -40.0, 100.0))
        volumes.append(volume)
    return volumes[0], volumes[1]


def planes(image: sitk.Image, mask: sitk.Image, window=(0.0, 340.0)):
    labels = LabelMap(mask)
    box = label_regions(labels)[3].box
    return {plane.name: plane for plane in mosaic(Image(image), labels, 3, box, window)}


@pytest.fixture(scope="module")
def upright():
    return planes(*phantom())


def test_letters_follow_the_radiological_convention(upright):
    letters = {name: plane.letters for name, plane in upright.items()}
    assert letters == {
        "axial": ("R", "L", "A", "P"),
        "coronal": ("R", "L", "H", "F"),
        "sagittal": ("A", "P", "H", "F"),
    }


def test_the_sides_of_the_phantom_are_where_the_letters_say(upright):
    """The phantom is brighter to the left, to the back and to the head."""
    towards = {"L": 1, "R": -1, "P": 1, "A": -1, "H": 1, "F": -1}
    for plane in upright.values():
        grey = plane.pixels.astype(int)
        side = len(grey) // 2
        left, right, top, bottom = plane.letters
        assert np.sign(grey[side, side + 9] - grey[side, side - 9]) == towards[right] == -towards[left]
        assert np.sign(grey[side + 9, side] - grey[side - 9, side]) == towards[bottom] == -towards[top]


def test_pixels_are_square_whatever_the_voxels(upright):
    for plane, (width, height) in zip(upright.values(), ((18, 20), (18, 24), (20, 24)), strict=True):
        (outline,) = plane.outline
        extent = np.ptp(outline, axis=0) * plane.pixel_mm
        assert extent.tolist() == [width, height], plane.name
        middle = (outline.min(axis=0) + outline.max(axis=0)) / 2
        assert np.abs(middle - len(plane.pixels) / 2).max() * plane.pixel_mm <= 2.5, plane.name


def test_one_grey_value_per_place(upright):
    """The middle pixel shows the value of the voxel in the middle of the block."""
    centre = 30 + 3 * 20 + 7 * 11
    for plane in upright.values():
        side = len(plane.pixels)
        around = plane.pixels[side // 2 - 1 : side // 2 + 1, side // 2 - 1 : side // 2 + 1]
        assert abs(float(around.mean()) - centre * 255 / 340) < 1, plane.name


@pytest.mark.parametrize("code", ORIENTATIONS)
def test_every_stored_orientation_gives_the_same_pictures(upright, code):
    turned = planes(*(sitk.DICOMOrient(volume, code) for volume in phantom()))
    for name, plane in upright.items():
        assert turned[name].letters == plane.letters
        np.testing.assert_array_equal(turned[name].pixels, plane.pixels)
        for polygon, expected in zip(turned[name].outline, plane.outline, strict=True):
            np.testing.assert_allclose(np.unique(polygon, axis=0), np.unique(expected, axis=0))


def test_neighbours_are_outlined_apart(upright):
    assert [len(upright[name].others) for name in ("axial", "coronal", "sagittal")] == [0, 1, 1]
    above = upright["coronal"].others[0][:, 1].max()
    assert above < upright["coronal"].outline[0][:, 1].min(), "the label nearer to the head is drawn above"


def test_outside_the_image_is_black(upright):
    assert (upright["sagittal"].pixels[:, 0] == 0).all()


def test_the_middle_is_in_the_body_not_in_the_canal():
    """A ring with a thick front: the middle of its box is the hole."""
    mask = np.zeros((12, 40, 30), dtype=np.uint8)
    mask[3:9, 4:20, 5:25] = 3
    mask[3:9, 20:36, 5:8] = mask[3:9, 20:36, 22:25] = mask[3:9, 33:36, 5:25] = 3
    image = sitk.GetImageFromArray((mask * 200).astype(np.int16))
    coronal = planes(image, sitk.GetImageFromArray(mask))["coronal"]
    assert len(coronal.outline) == 1
    assert np.ptp(coronal.outline[0][:, 0]) * coronal.pixel_mm == 20


def test_windows():
    image, mask = phantom()
    assert display_window(Image(image).array(), LabelMap(mask).array(), hounsfield=True) == (-500.0, 1300.0)
    low, high = display_window(Image(image).array(), LabelMap(mask).array(), hounsfield=False)
    around = sitk.GetArrayFromImage(image)[8:18, 15:25, 21:39]
    assert around.min() < low < np.median(around) < high < around.max()
    flat = sitk.Image(7, 8, 9, sitk.sitkInt16)
    empty = LabelMap(sitk.Image(7, 8, 9, sitk.sitkUInt8))
    low, high = display_window(Image(flat).array(), empty.array(), hounsfield=False)
    assert high > low


def test_outlines_have_holes_and_pieces():
    mask = np.zeros((7, 9), dtype=bool)
    mask[1:4, 1:4] = True
    mask[2, 2] = False
    mask[5, 6:8] = True
    loops = voxel_outlines(mask)
    areas = [np.sum(np.cross(loop, np.roll(loop, -1, axis=0))) if False else _area(loop) for loop in loops]
    assert sorted(areas) == [-1.0, 2.0, 9.0]
    assert voxel_outlines(np.zeros((3, 4), dtype=bool)) == []
    touching = voxel_outlines(np.eye(2, dtype=bool))
    assert sum(_area(loop) for loop in touching) == 2.0


def _area(loop: np.ndarray) -> float:
    x, y = loop.T.astype(float)
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def turned_about_z(degrees: float) -> Geometry:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return Geometry((7, 8, 9), (1, 1, 1), (0, 0, 0), (c, -s, 0, s, c, 0, 0, 0, 1))


@pytest.mark.parametrize(("degrees", "expected"), [(0, 0), (20, 20), (44, 44), (46, 44), (90, 0), (180, 0)])
def test_obliquity_is_the_angle_to_the_nearest_axis(degrees, expected):
    assert obliquity(turned_about_z(degrees)) == pytest.approx(expected, abs=0.01)


def test_oblique_axes_get_two_letters():
    assert end_letters(turned_about_z(20), 0) == ("RA", "LP")
    assert end_letters(turned_about_z(10), 0) == ("R", "L")
    assert end_letters(turned_about_z(180), 0) == ("R", "L")
    assert patient_axes(turned_about_z(180)) == ((0, -1), (1, -1), (2, 1))
    assert plane_across(turned_about_z(90), 0) == "coronal"
