"""Each convention of IBSI by itself, against its definition computed another way."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from extraction_scans import MakeCohort, textured, two_vertebrae
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from radiomics_vert.errors import SettingsError
from radiomics_vert.extraction import ExtractionParams, extract, parity
from radiomics_vert.extraction.engine import Volumes, compute_steps
from radiomics_vert.extraction.grid import ResampledGrid, make_grid
from radiomics_vert.extraction.ibsi import Conventions, grey_levels, restated

PLAIN: dict[str, Any] = {"resampledPixelSpacing": [2, 2, 2], "interpolator": "sitkLinear", "padDistance": 0}


def _volumes(
    voxels: np.ndarray, labels: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> Volumes:
    images = [sitk.GetImageFromArray(array) for array in (voxels, labels)]
    for image in images:
        image.SetSpacing(spacing)
    return Volumes(*images)


def _box(labels: np.ndarray, label: int) -> tuple[int, ...]:
    found = [np.unique(axis) for axis in np.nonzero(labels == label)[::-1]]
    return tuple(int(value) for axis in found for value in (axis[0], axis[-1] + 1))


def _values(
    volumes: Volumes, conventions: Any, engine: str = "auto", label: int = 1, **settings: Any
) -> tuple[dict[str, float], dict[str, Any]]:
    content = {"imageType": {"Original": {}}, "setting": settings, "conventions": conventions}
    params = replace(ExtractionParams.from_mapping(content), engine=engine)
    labels = sitk.GetArrayFromImage(volumes.labels)
    values: dict[str, float] = {}
    facts: dict[str, Any] = {}
    for _, outcome in compute_steps(volumes, label, _box(labels, label), params.steps(), "case"):
        assert outcome.problem is None, outcome.problem
        values |= outcome.values
        facts |= outcome.diagnostics
    return values, facts


def _images(volumes: Volumes, images: dict[str, Any], engine: str) -> dict[str, float]:
    content = {"imageType": images, "featureClass": {"firstorder": [], "glcm": []}, "conventions": "ibsi"}
    settings = PLAIN | {"padDistance": 5, "binWidth": 5}
    params = replace(ExtractionParams.from_mapping({**content, "setting": settings}), engine=engine)
    box = _box(sitk.GetArrayFromImage(volumes.labels), 1)
    found: dict[str, float] = {}
    for step, outcome in compute_steps(volumes, 1, box, params.steps(), "case"):
        assert outcome.problem is None, (step.name, outcome.problem)
        found |= outcome.values
    return found


def _grid(volumes: Volumes, **conventions: str) -> ResampledGrid:
    settings = {**PLAIN, "conventions": conventions}
    labels = sitk.GetArrayFromImage(volumes.labels)
    grid = make_grid(volumes.image, volumes.labels, 1, _box(labels, 1), settings)
    assert isinstance(grid, ResampledGrid)
    return grid


# A region in a corner of unequal extents, and spacings that divide nothing.
SHAPE, SPACING = (9, 8, 7), (1.3, 0.9, 2.7)


def _region(seed: int = 0) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 1.2)
    labels = (noise > np.quantile(noise, 0.6)).astype(np.uint8)
    labels[4, 4, 3:5] = 1
    return labels


def _centres(new: int, old: int, spacing_new: float, spacing_old: float) -> np.ndarray:
    """Return positions of resampled voxels as indices of the old ones: both middles coincide."""
    millimetres = (np.arange(new) - (new - 1) / 2) * spacing_new
    return np.asarray(millimetres / spacing_old + (old - 1) / 2)


def test_centres_of_both_grids_coincide() -> None:
    ramps = np.indices(SHAPE).astype(float)
    for axis, ramp in enumerate(ramps):
        grid = _grid(_volumes(ramp, _region(), SPACING), grid="centre")
        wanted = np.ceil(np.array(SHAPE[::-1]) * SPACING / 2).astype(int)
        assert grid.size.tolist() == wanted.tolist()
        found = sitk.GetArrayFromImage(grid.image(np.zeros(3, int), grid.size))
        line = np.moveaxis(found, axis, 0)[:, 2, 2]
        expected = _centres(len(line), SHAPE[axis], 2, SPACING[2 - axis]).clip(0, SHAPE[axis] - 1)
        np.testing.assert_allclose(line, expected, atol=1e-9)


def test_a_spacing_with_a_rounding_error_adds_no_voxel() -> None:
    volumes = _volumes(np.zeros(SHAPE), _region(), (2 + 1e-8, 2.0, 3.0))
    assert _grid(volumes, grid="centre").size.tolist() == [7, 8, 14]
    assert _grid(volumes, grid="corner").size.tolist() == [8, 8, 14]


@hypothesis_settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000),
    st.tuples(*[st.floats(0.6, 3.3)] * 3).filter(lambda spacing: not np.allclose(spacing, 2)),
)
def test_a_voxel_belongs_to_the_mask_when_half_of_it_lies_inside(
    seed: int, spacing: tuple[float, float, float]
) -> None:
    labels = _region(seed)
    grid = _grid(_volumes(np.zeros(SHAPE), labels, spacing), grid="centre", mask="partial_volume")
    positions = [
        _centres(new, old, 2, own)
        for new, old, own in zip(grid.size[::-1], SHAPE, spacing[::-1], strict=True)
    ]
    share = ndimage.map_coordinates(
        labels.astype(float), np.meshgrid(*positions, indexing="ij"), order=1, mode="nearest"
    )
    mask, start = grid.mask()
    found = np.zeros(share.shape, bool)
    found[tuple(slice(a, a + n) for a, n in zip(start[::-1], mask.shape, strict=True))] = mask
    clear = np.abs(share - 0.5) > 1e-5
    assert (found == (share >= 0.5))[clear].all()


def test_exactly_half_is_inside() -> None:
    labels = np.zeros((8, 7, 9), np.uint8)
    labels[3:5, 2:5, 3:6] = 1
    # Two slices of 3 mm hold two new ones of 2 mm; two more lie midway between inside and outside.
    mask, _ = _grid(
        _volumes(np.zeros(labels.shape), labels, (2.0, 2.0, 3.0)), grid="centre", mask="partial_volume"
    ).mask()
    assert mask.shape == (4, 3, 3)
    assert mask.all()


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_resampled_intensities_are_rounded_not_cut_off(dtype: Any) -> None:
    voxels = textured(SHAPE).astype(dtype)
    exact = _grid(_volumes(voxels.astype(float), _region(), SPACING), grid="centre")
    whole = _grid(_volumes(voxels, _region(), SPACING), grid="centre", rounding="nearest")
    span = np.zeros(3, int), exact.size
    found, wanted = (sitk.GetArrayFromImage(grid.image(*span)) for grid in (whole, exact))
    assert np.array_equal(found, np.rint(wanted))
    assert not np.array_equal(found, np.trunc(wanted))


def test_an_image_that_is_not_resampled_is_not_rounded() -> None:
    volumes = _volumes(textured(SHAPE) + 0.25, _region())
    values, _ = _values(volumes, "ibsi")
    assert values["original_firstorder_Minimum"] % 1 == 0.25


@pytest.mark.parametrize("engine", ["native", "pyradiomics"])
def test_bins_start_at_the_lower_limit(engine: str) -> None:
    volumes = _volumes(textured(SHAPE), _region())
    inside = sitk.GetArrayFromImage(volumes.image)[_region() > 0]
    values, facts = _values(
        volumes, {"bins": "range"}, engine, resegmentRange=[int(inside.min()) - 43, 5000], binWidth=20
    )
    levels = (inside - (inside.min() - 43)) // 20 + 1
    assert levels.min() == 3
    assert facts["grey_levels"] == len(np.unique(levels))
    shares = np.unique(levels, return_counts=True)[1] / inside.size
    assert values["original_firstorder_Entropy"] == pytest.approx(-(shares * np.log2(shares)).sum())
    assert values["original_gldm_HighGrayLevelEmphasis"] == pytest.approx((levels.astype(float) ** 2).mean())


def test_bins_start_at_the_minimum_without_a_limit_and_on_filtered_images() -> None:
    content = {
        "imageType": {"Original": {}, "Square": {}},
        "setting": {"resegmentRange": [-50, 900]},
        "conventions": "ibsi",
    }

    def origins(**settings: Any) -> list[Any]:
        own = {**content, "setting": {**content["setting"], **settings}}  # type: ignore[dict-item]
        steps = ExtractionParams.from_mapping(own).steps()
        return [step.settings.get("conventions", {}).get("bin_origin") for step in steps]

    assert origins() == [None, -50.0, "minimum"]
    assert origins(resegmentRange=None) == [None, "minimum", "minimum"]
    assert origins(resegmentRange=[-3, 3], resegmentMode="sigma") == [None, "minimum", "minimum"]
    assert origins(binCount=32) == [None, "minimum", "minimum"]


@given(st.lists(st.integers(-500, 500), min_size=1, max_size=40), st.integers(1, 64))
def test_a_fixed_number_of_bins(values: list[int], count: int) -> None:
    settings = {"conventions": {"bin_origin": "minimum"}, "binCount": count}
    low, high = min(values), max(values)
    # Whole numbers: the formula of IBSI without rounding errors.
    expected = [1 if low == high else min(count * (v - low) // (high - low) + 1, count) for v in values]
    assert grey_levels(np.array(values, float), settings).tolist() == expected


@pytest.mark.parametrize("engine", ["native", "pyradiomics"])
def test_kurtosis_is_in_excess_of_the_normal_one(engine: str) -> None:
    volumes = _volumes(textured(SHAPE), _region())
    inside = sitk.GetArrayFromImage(volumes.image)[_region() > 0]
    values, _ = _values(volumes, {"kurtosis": "excess"}, engine)
    assert values["original_firstorder_Kurtosis"] == pytest.approx(stats.kurtosis(inside))
    flat = restated(
        {"log-sigma-1_firstorder_Kurtosis": 0.0}, {"conventions": {"kurtosis": "excess"}}, voxels=9
    )
    assert flat == {"log-sigma-1_firstorder_Kurtosis": 0.0}


@pytest.mark.parametrize("engine", ["native", "pyradiomics"])
def test_axes_are_those_of_the_sample_covariance(engine: str) -> None:
    volumes = _volumes(textured(SHAPE), _region(), SPACING)
    positions = np.argwhere(_region() > 0) * SPACING[::-1]
    lengths = 4 * np.sqrt(np.sort(np.linalg.eigvalsh(np.cov(positions.T))))
    names = ("LeastAxisLength", "MinorAxisLength", "MajorAxisLength")
    values, _ = _values(volumes, {"axes": "sample"}, engine)
    assert [values[f"original_shape_{name}"] for name in names] == pytest.approx(lengths.tolist())
    plain, _ = _values(volumes, "pyradiomics", engine)
    others = {name for name in plain if values[name] != plain[name]}
    assert others == {f"original_shape_{name}" for name in names}


@pytest.mark.parametrize("engine", ["native", "pyradiomics"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_features_averaged_over_slices(engine: str, axis: int) -> None:
    labels, voxels = _region(3), textured(SHAPE, 3)
    lines = np.moveaxis(labels, axis, 0)
    alone = 1 if lines[1].any() else 0
    lines[alone] = 0
    lines[alone, 3, 3] = 1  # a slice of one voxel has no texture
    settings = {
        "force2D": True, "force2Ddimension": axis, "resegmentRange": [-900, 900], "minimumROIDimensions": 1,
    }  # fmt: skip
    volumes = _volumes(voxels, labels)
    values, _ = _values(volumes, {"base": "ibsi", "slices": "averaged"}, engine, **settings)
    merged, _ = _values(volumes, "ibsi", engine, **settings)
    each = []
    for index in np.flatnonzero(lines.sum(axis=(1, 2)) > 1):
        part = np.zeros_like(labels)
        np.moveaxis(part, axis, 0)[index] = lines[index]
        each.append(_values(_volumes(voxels, part), "ibsi", engine, **settings)[0])
    assert len(each) > 3
    for name, value in values.items():
        if "_shape_" in name or "_firstorder_" in name:
            assert value == pytest.approx(merged[name], nan_ok=True), name
        else:
            assert value == pytest.approx(np.nanmean([one[name] for one in each])), name
    assert values["original_glszm_LargeAreaEmphasis"] != pytest.approx(
        merged["original_glszm_LargeAreaEmphasis"]
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"binWidth": 15, "resegmentRange": [0, 400]},
        {
            "binCount": 16,
            "resegmentRange": [-2, 2],
            "resegmentMode": "sigma",
            "weightingNorm": "no_weighting",
        },
        {"binWidth": 15, "force2D": True, "force2Ddimension": 1, "distances": [1, 2]},
    ],
)
def test_both_engines_agree(settings: dict[str, Any]) -> None:
    volumes = _volumes(
        textured((19, 18, 17), 4), ndimage.zoom(_region(4), 2, order=0)[:19, :18, :17], SPACING
    )
    both = [
        _values(volumes, "ibsi", engine, **PLAIN | {"padDistance": 5}, **settings)
        for engine in ("native", "pyradiomics")
    ]
    (native, facts), (stock, others) = both
    assert native == pytest.approx(stock, rel=1e-8, nan_ok=True)
    assert facts == others
    assert len(native) == 107


def test_both_engines_agree_on_filtered_images() -> None:
    labels = np.zeros((19, 18, 17), np.uint8)
    labels[:14, 3:15, 4:17] = ndimage.zoom(_region(4), 2, order=0)[:14, 3:15, :13]
    volumes = _volumes(textured(labels.shape, 4), labels, SPACING)
    images = {"LoG": {"sigma": [1.0]}, "Wavelet": {}}
    native, stock = (_images(volumes, images, engine) for engine in ("native", "pyradiomics"))
    assert native == pytest.approx(stock, rel=1e-8, abs=1e-9, nan_ok=True)
    assert len(native) == 9 * (18 + 24)


@pytest.mark.parametrize("interpolator", ["sitkLinear", "sitkBSpline"])
def test_a_block_is_that_of_the_whole_resampled_image(interpolator: str) -> None:
    labels = np.zeros((60, 61, 170), np.uint8)
    labels[30:34, 31:36, 140:152] = 1
    settings = {
        **PLAIN, "interpolator": interpolator, "resampledPixelSpacing": [5, 2, 2],
        "conventions": {"grid": "centre", "rounding": "nearest", "mask": "partial_volume"},
    }  # fmt: skip
    volumes = _volumes(textured(labels.shape), labels, (0.3, 1.1, 1.0))
    grid = make_grid(volumes.image, volumes.labels, 1, _box(labels, 1), settings)
    mask, start = grid.mask()
    stop = start + mask.shape[::-1]
    whole = sitk.GetArrayFromImage(grid.image(np.zeros(3, int), grid.size))
    block = tuple(slice(a, b) for a, b in zip(start[::-1], stop[::-1], strict=True))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(grid.image(start, stop)), whole[block])


def test_a_region_too_thin_for_half_a_voxel_is_refused_as_too_small() -> None:
    labels = np.zeros((12, 12, 12), np.uint8)
    for k in range(1, 10):
        labels[k, k + 1, :] = 1  # a quarter of each new voxel that it meets
    settings = {"resampledPixelSpacing": [2, 2, 2], "interpolator": "sitkLinear"}
    params = ExtractionParams.from_mapping({"setting": settings, "conventions": "ibsi"})
    volumes = _volumes(textured(labels.shape), labels)
    outcomes = [one for _, one in compute_steps(volumes, 1, _box(labels, 1), params.steps(), "case")]
    assert [one.problem.code for one in outcomes if one.problem] == ["RV301", "RV301"]


def test_the_conventions_of_pyradiomics_are_the_default() -> None:
    default = ExtractionParams.from_mapping({})
    written = ExtractionParams.from_mapping({"conventions": "pyradiomics"})
    assert default.digest == written.digest
    assert not any("conventions" in step.settings for step in written.steps())
    ibsi = ExtractionParams.from_mapping({"conventions": "ibsi"})
    assert ibsi.digest != default.digest
    again = pickle.loads(pickle.dumps(ibsi))
    assert (again.digest, again.conventions) == (ibsi.digest, ibsi.conventions)
    assert {step.engine for step in ibsi.steps()} == {"native"}


def test_a_step_is_made_stale_by_the_conventions_it_reads_only() -> None:
    setting = {"resampledPixelSpacing": [2, 2, 2], "force2D": True, "force2Ddimension": 0}

    def steps(conventions: Any, **more: Any) -> dict[str, str]:
        content = {"imageType": {"Original": {}}, "conventions": conventions, "setting": {**setting, **more}}
        return {step.name: step.digest for step in ExtractionParams.from_mapping(content).steps()}

    def changed(**one: str) -> list[str]:
        other = steps(one)
        return [name for name, value in steps("pyradiomics").items() if other[name] != value]

    assert changed(grid="centre") == changed(mask="partial_volume") == ["shape", "original"]
    for one in ({"rounding": "nearest"}, {"bins": "range"}, {"kurtosis": "excess"}, {"slices": "averaged"}):
        assert changed(**one) == ["original"], one
    assert changed(axes="sample") == ["shape"]
    native = {"resampledPixelSpacing": None}
    assert steps({"grid": "centre", "rounding": "nearest"}, **native) == steps(None, **native)


def test_every_wrong_convention_is_named() -> None:
    def refused(conventions: Any, **content: Any) -> list[tuple[str, str]]:
        with pytest.raises(SettingsError) as caught:
            ExtractionParams.from_mapping({"conventions": conventions, **content}, "own")
        assert {problem.code for problem in caught.value.problems} == {"RV303"}
        return [(problem.where, problem.remedy) for problem in caught.value.problems]

    assert refused("IBSI") == [("own, conventions, base", "correct the value")]
    assert refused(["ibsi"]) == [("own, conventions, base", "correct the value")]
    assert refused({"kurtosi": "excess", "grid": "middle"}) == [
        ("own, conventions", "did you mean 'kurtosis'?"),
        ("own, conventions, grid", "correct the value"),
    ]
    ((where, remedy),) = refused({"slices": "averaged"})
    assert (where, "force2D" in remedy) == ("own, conventions", True)
    ((_, remedy),) = refused("ibsi", preprocessing={"intensity": "zscore"})
    assert "rounding: none" in remedy
    ((_, remedy),) = refused("ibsi", setting={"normalize": True})
    assert "rounding: none" in remedy
    good = {"base": "ibsi", "rounding": "none"}
    content = {"conventions": good, "preprocessing": {"intensity": "zscore"}}
    assert ExtractionParams.from_mapping(content).conventions == replace(
        Conventions.from_section("ibsi"), rounding="none"
    )


def test_conventions_reach_the_table_and_have_no_stock_counterpart(
    make_cohort: MakeCohort, tmp_path: Path
) -> None:
    shape = (24, 22, 20)
    cohort = make_cohort(("p1", "CT", textured(shape), two_vertebrae(shape), {"spacing": (1.0, 1.2, 1.7)}))
    content = {"imageType": {"Original": {}}, "setting": PLAIN | {"padDistance": 5}}
    tables = [
        extract(cohort, ExtractionParams.from_mapping({**content, "conventions": own}), cache=tmp_path / "c")
        for own in ("pyradiomics", "ibsi", "ibsi")
    ]
    kurtosis = "original_firstorder_Kurtosis"
    columns = [next(name for name in table.values if name.endswith(kurtosis)) for table in tables]
    plain, ibsi, again = (table.values[columns[0]].tolist() for table in tables)
    assert len(plain) == 2
    assert max(ibsi) < min(plain)
    assert ibsi == again
    assert tables[2].provenance.run["cache"]["hits"] == 4
    report = parity(cohort, ExtractionParams.from_mapping({**content, "conventions": "ibsi"}))
    assert report["problem"].tolist() == ["RV351", "RV351"]
