"""The features of one region, step by step, by the engine that each step names.

Name and version of the engine are part of every cache key, so values of two engines never mix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np
import SimpleITK as sitk
from radiomics import imageoperations

import radiomics_vert.extraction.native as native
from radiomics_vert.errors import ExtractionError, Problem
from radiomics_vert.extraction.features import (
    Classes,
    discretise,
    quiet,
    shape_features,
    texture_features,
)
from radiomics_vert.extraction.filters import filtered_images
from radiomics_vert.extraction.grid import Grid, Span, make_grid, tight_box
from radiomics_vert.extraction.ibsi import convention, preparing, restated
from radiomics_vert.extraction.ibsi_slices import Block, slice_means
from radiomics_vert.extraction.params import Step
from radiomics_vert.extraction.settings import PREPARATION, resamples

COMPUTING = 3
"""Version of what happens to a region around both engines, refusals included; part of every cache key."""


@dataclass(frozen=True)
class Volumes:
    """Image and label map of one scan, read once for all its vertebrae.

    Parameters
    ----------
    image, labels : SimpleITK.Image
        On one grid.
    normalised : dict
        Whole-image normalisations that were asked for, by their settings; filled on demand.
    excluded : SimpleITK.Image, optional
        Not 0 where grey values do not count (hardware, cement); on the grid of the image or a part of it.
    """

    image: sitk.Image
    labels: sitk.Image
    normalised: dict[tuple[Any, Any], sitk.Image] = field(default_factory=dict)
    excluded: sitk.Image | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the voxels of image and labels."""
        parts = (self.image, self.labels)
        return sum(part.GetNumberOfPixels() * part.GetSizeOfPixelComponent() for part in parts)

    def prepared(self, settings: Mapping[str, Any]) -> sitk.Image:
        """Return the image, normalised over all its voxels if the settings say so."""
        if not settings.get("normalize"):
            return self.image
        key = settings["normalizeScale"], settings["removeOutliers"]
        if key not in self.normalised:
            self.normalised[key] = imageoperations.normalizeImage(self.image, **settings)
        return self.normalised[key]


@dataclass(frozen=True)
class Outcome:
    """What one step gave for one region.

    Parameters
    ----------
    values : mapping of str to float
        Features; NaN where one has no finite value.
    diagnostics : mapping
        Facts about the region: voxels after resampling, grey levels, ...
    problem : Problem, optional
        Why there are no values.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    problem: Problem | None = None


@dataclass(frozen=True)
class Region:
    """One vertebra on its working grid.

    Parameters
    ----------
    native_spacing : tuple of float
        Of the image, mm along x, y, z.
    grid : Grid
        The working image.
    whole : ndarray of bool, shape (z, y, x)
        The vertebra.
    kept : ndarray of bool, shape (z, y, x)
        What is left without excluded voxels and after resegmentation, cropped.
    span : tuple of ndarray
        First and last voxel + 1 (x, y, z) of `kept` on the grid.
    clipped : int
        Voxels that resegmentation alone took away.
    """

    native_spacing: tuple[float, ...]
    grid: Grid
    whole: np.ndarray
    kept: np.ndarray
    span: Span
    clipped: int

    def shape_mask(self, settings: Mapping[str, Any]) -> np.ndarray:
        """Return the mask that shape is measured on."""
        return self.kept if settings.get("resegmentShape") else self.whole

    def as_image(self, voxels: np.ndarray) -> sitk.Image:
        """Return voxels of `span` as an image with the grid's spacing."""
        image = sitk.GetImageFromArray(voxels)
        image.SetSpacing(self.grid.spacing.tolist())
        return image


def compute_steps(
    volumes: Volumes, label: int, box: tuple[int, ...], steps: Sequence[Step], where: str
) -> Iterator[tuple[Step, Outcome]]:
    """Compute the steps for one region, one after the other.

    Parameters
    ----------
    volumes : Volumes
        The scan.
    label : int
        The region's value in the label map.
    box : tuple of int
        Its bounding box, (x0, x1, y0, y1, z0, z1), upper ends excluded.
    steps : sequence of Step
        What to compute, with the slice axis already filled in.
    where : str
        The case, for messages.

    Yields
    ------
    tuple of (Step, Outcome)
        In the order of `steps`; a step that cannot be computed yields a problem and no values.
    """
    prepared: dict[str, Region | Problem] = {}
    for step in steps:
        key = repr([[(name, step.settings.get(name)) for name in PREPARATION], preparing(step.settings)])
        with _one_thread(), quiet():
            if key not in prepared:
                prepared[key] = _prepare_or_problem(volumes, label, box, step.settings, where)
            region = prepared[key]
            if isinstance(region, Problem):
                outcome = Outcome(problem=region)
            else:
                outcome = _compute(region, step, where)
        yield step, outcome


def _prepare_or_problem(
    volumes: Volumes, label: int, box: tuple[int, ...], settings: Mapping[str, Any], where: str
) -> Region | Problem:
    try:
        return _prepare(volumes, label, box, settings, where)
    except ExtractionError as error:
        return error.problems[0]


def _prepare(
    volumes: Volumes, label: int, box: tuple[int, ...], settings: Mapping[str, Any], where: str
) -> Region:
    spacing = volumes.image.GetSpacing()
    grid = make_grid(volumes.prepared(settings), volumes.labels, label, box, settings)
    mask, start = grid.mask()
    stop = start + mask.shape[::-1]
    _require_size(mask, settings, where, "after resampling" if resamples(settings) else "in the mask")
    counted = mask
    if volumes.excluded is not None:
        counted = mask & ~grid.sample(volumes.excluded, start, stop)
        _require_size(counted, settings, where, "without hardware and cement")
    kept = counted
    if settings.get("resegmentRange") is not None:
        kept = _resegment(grid.image(start, stop), counted, settings, where)
        _require_size(kept, settings, where, "after resegmentation")
    tight = tight_box(kept)
    start = start + [axis.start for axis in tight[::-1]]
    clipped = int(counted.sum()) - int(kept.sum())
    return Region(spacing, grid, mask, kept[tight], (start, start + kept[tight].shape[::-1]), clipped)


def _require_size(mask: np.ndarray, settings: Mapping[str, Any], where: str, when: str) -> None:
    """Refuse what pyradiomics refuses: one voxel, too few dimensions, too few voxels."""
    voxels = int(mask.sum())
    extent = [axis.stop - axis.start for axis in tight_box(mask)]
    dimensions = sum(size > 1 for size in extent)
    needed = max(1, settings["minimumROIDimensions"])
    smallest = settings["minimumROISize"]
    expected = f"more than one voxel in at least {needed} dimension(s)"
    if smallest is not None:
        expected += f", and more than {smallest} voxels"
    if dimensions < needed or (smallest is not None and voxels <= smallest):
        x, y, z = extent[::-1]
        raise ExtractionError(
            Problem(
                "RV301",
                expected,
                f"{voxels} voxel(s), {x} x {y} x {z} {when}",
                where,
                "check the mask of this vertebra, or leave the vertebra out",
            )
        )


def _resegment(image: sitk.Image, mask: np.ndarray, settings: Mapping[str, Any], where: str) -> np.ndarray:
    labels = sitk.GetImageFromArray(mask.astype(np.uint8))
    labels.CopyInformation(image)
    try:
        kept = imageoperations.resegmentMask(image, labels, **{**settings, "label": 1})
    except ValueError:
        inside = sitk.GetArrayViewFromImage(image)[mask]
        raise ExtractionError(
            Problem(
                "RV308",
                f"at least two voxels within resegmentRange {list(settings['resegmentRange'])} "
                f"({settings['resegmentMode']})",
                f"grey values from {inside.min():g} to {inside.max():g}",
                where,
                "check that image and mask belong together and that the image is in the expected "
                "units (CT: Hounsfield), or widen resegmentRange",
            )
        ) from None
    return np.asarray(sitk.GetArrayFromImage(kept) == 1)


def _compute(region: Region, step: Step, where: str) -> Outcome:
    diagnostics = _facts(region, step)
    try:
        if step.image_type is None:
            mask = region.shape_mask(step.settings)
            measure = native.shape_features if step.engine == "native" else shape_features
            values = measure(mask, region.grid.spacing, step.feature_classes["shape"])
        else:
            values = {}
            for name, voxels in filtered_images(region.grid, region.span, step):
                values |= _image_values(region, step, name, voxels, diagnostics)
    except ExtractionError as error:
        return Outcome(problem=error.problems[0])
    except Exception as error:  # one failing region must not end the study
        return Outcome(problem=_failed(step, error, where))
    values = restated(values, step.settings, int(region.shape_mask(step.settings).sum()))
    finite = {name: value if isfinite(value) else float("nan") for name, value in values.items()}
    return Outcome(finite, diagnostics)


def _image_values(
    region: Region, step: Step, name: str, voxels: np.ndarray, diagnostics: dict[str, Any]
) -> dict[str, float]:
    if step.engine == "native":
        levels = native.discretise(voxels, region.kept, step.settings)
        if name == "original":
            diagnostics["grey_levels"] = len(levels.present)
        spacing = region.grid.spacing[::-1]
        if _by_slice(step):

            def compiled(block: Block, classes: Classes) -> dict[str, float]:
                return native.texture_features(name, levels.part(block), spacing, classes, step.settings)

            axis = step.settings["force2Ddimension"]
            return slice_means(region.kept, axis, step.feature_classes, compiled)
        return native.texture_features(name, levels, spacing, step.feature_classes, step.settings)
    binned = discretise(voxels, region.kept, step.settings)
    if name == "original":
        diagnostics["grey_levels"] = len(binned.present)
    image, mask = region.as_image(voxels), region.as_image(region.kept.astype(np.uint8))
    if _by_slice(step):

        def reference(block: Block, classes: Classes) -> dict[str, float]:
            own, inside = image[block[::-1]], mask[block[::-1]]
            return texture_features(name, own, inside, binned.part(block), classes, step.settings)

        axis = step.settings["force2Ddimension"]
        return slice_means(region.kept, axis, step.feature_classes, reference)
    return texture_features(name, image, mask, binned, step.feature_classes, step.settings)


def _by_slice(step: Step) -> bool:
    return bool(convention(step.settings, "slices") == "averaged")


def _facts(region: Region, step: Step) -> dict[str, Any]:
    whole = int(region.whole.sum())
    spacing = dict(zip(("spacing_x", "spacing_y", "spacing_z"), region.native_spacing, strict=True))
    if not step.reads_image:
        return {**spacing, "voxels_resampled": whole}
    return {
        **spacing,
        "voxels_resampled": whole,
        "voxels_resegmented": int(region.kept.sum()),
        "clipped_share": region.clipped / whole,
    }


def _failed(step: Step, error: Exception, where: str) -> Problem:
    return Problem(
        "RV304",
        f"features of the step {step.name!r}",
        f"{type(error).__name__}: {' '.join(str(error).split())}",
        where,
        "check this vertebra's image and mask; if both are sound, report the case as a bug",
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep ITK on one core: the number of workers decides how many cores are used, nothing else."""
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
