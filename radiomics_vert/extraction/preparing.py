"""From a scan on disk to what the engine measures: orientation, hardware, bias field, intensities.

What holds for the whole scan is done once; the intensity map can depend on the vertebra's level and is made
per vertebra. :func:`prepare` and :meth:`PreparedScan.measured` need no feature to be computed, so quality
measures look at exactly what extraction would use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import SimpleITK as sitk

from radiomics_vert.cohort import Case, Scan, load_tissue, load_vertebrae, mask_digest, spine_position
from radiomics_vert.errors import ExtractionError, ImageError, Problem, RadiomicsVertError
from radiomics_vert.extraction.engine import Outcome, Volumes, compute_steps
from radiomics_vert.extraction.grid import crop
from radiomics_vert.extraction.params import Step
from radiomics_vert.extraction.preprocessing import Preprocessing
from radiomics_vert.imaging import Geometry, read_geometry, read_image
from radiomics_vert.imaging.preprocessing import (
    AffineMap,
    BiasCorrection,
    LevelTrend,
    Orientation,
    Spread,
    bright_voxels,
    correct_bias,
    gas_volume_ml,
    level_trend,
    standard_spread,
    without_position,
)
from radiomics_vert.storage import digest

Value = TypeVar("Value")

REACH = 3.0
"""Levels over which the trend of the reference vertebrae is followed beyond them [our own default]."""
MINIMUM_VOXELS = 100
"""Voxels of muscle, disc or CSF that are needed as a reference [our own default]."""


@dataclass(frozen=True)
class Standard:
    """The reference tissue of a scan.

    Parameters
    ----------
    tissue : str
        `vertebrae`, `muscle`, `disc` or `csf`.
    trend : LevelTrend
        Flat for any tissue but vertebrae.
    passed : str
        Which tissues come before it in the parameters, and why the scan does not have them.
    """

    tissue: str
    trend: LevelTrend
    passed: str


@dataclass(frozen=True)
class Measured:
    """One vertebra, ready for the engine.

    Parameters
    ----------
    volumes : Volumes
        Image after all preprocessing, labels, excluded voxels.
    facts : mapping
        Diagnostics: `excluded_share`, `gas_ml`, `reference`, `reference_mu`, ...
    problem : Problem, optional
        Why grey values of this vertebra cannot be measured; its shape can be.
    """

    volumes: Volumes
    facts: Mapping[str, Any] = field(default_factory=dict)
    problem: Problem | None = None


@dataclass(frozen=True)
class PreparedScan:
    """One scan in the order of its parameters, with what all its vertebrae share.

    Parameters
    ----------
    scan : Scan
        Where it comes from.
    volumes : Volumes
        Image as it is and vertebra labels, in the wanted orientation.
    orientation : Orientation
        From the voxel order of the file to that of `volumes`.
    geometry : Geometry
        Grid of the file.
    preprocessing : Preprocessing
        What is asked for.
    references : tuple of Case
        Reference vertebrae of this scan.
    """

    scan: Scan
    volumes: Volumes
    orientation: Orientation
    geometry: Geometry
    preprocessing: Preprocessing
    references: tuple[Case, ...] = ()

    def box(self, case: Case) -> tuple[int, ...]:
        """Return the bounding box of a case, which is in voxels of the file, in the order of `volumes`."""
        return self.orientation.box(case.box, self.geometry.size)

    def as_in_file(self, labels: sitk.Image) -> sitk.Image:
        """Return a label map in the order of `volumes` as the file would hold it."""
        stored = sitk.Image(self.orientation.inverse().apply(labels))
        stored.SetSpacing(self.geometry.spacing)
        stored.SetOrigin(self.geometry.origin)
        stored.SetDirection(self.geometry.direction)
        return stored

    @cached_property
    def bias(self) -> BiasCorrection | Problem:
        """The image without its bias field, or why there is none."""
        try:
            return correct_bias(self.volumes.image)
        except (ValueError, RuntimeError) as error:
            found = " ".join(str(error).split())[:300]
            remedy = "check that the image is a magnitude image; for maps, set bias_correction: none"
            expected = "an image with tissue brighter than its background, for bias correction (N4)"
            return Problem("RV313", expected, found, self.scan.scan_id, remedy)

    @cached_property
    def standard(self) -> Standard | Problem:
        """The reference tissue, or why there is none."""
        passed: list[str] = []
        for tissue in self.preprocessing.reference:
            try:
                trend = self._vertebrae() if tissue == "vertebrae" else self._tissue(tissue)
            except _MissingTissueError as missing:
                passed.append(f"{tissue}: {missing}")
                continue
            if trend.width > 0:
                return Standard(tissue, trend, "; ".join(passed))
            passed.append(f"{tissue}: half of its {trend.voxels} voxels have one value")
            break
        return Problem(
            "RV311",
            f"a reference tissue for the intensities: {' or '.join(self.preprocessing.reference)}",
            "; ".join(passed),
            self.scan.scan_id,
            "outline unfractured vertebrae too (at least "
            f"{self.preprocessing.reference_minimum}, without a row of their level in the clinical table), "
            "use a mask with muscle, discs or CSF, or choose intensity: zscore",
        )

    def measured(self, case: Case, box: tuple[int, ...], volumes: Volumes) -> Measured:
        """Return one vertebra with its grey values as features want them.

        Parameters
        ----------
        case : Case
            The vertebra.
        box : tuple of int
            Its bounding box in `volumes`.
        volumes : Volumes
            The scan's volumes, or those with another outline of the vertebra.
        """
        facts: dict[str, Any] = {}
        try:
            excluded = self._excluded(case, box, volumes, facts)
            image = self._standardised(case, box, replace(volumes, excluded=excluded), facts)
        except RadiomicsVertError as error:
            return Measured(volumes, facts, error.problems[0])
        except Exception as error:  # one failing region must not end the study
            found = f"{type(error).__name__}: {' '.join(str(error).split())}"
            remedy = "check this scan's image and mask; if both are sound, report the case as a bug"
            return Measured(volumes, facts, Problem("RV304", "preprocessing", found, case.case_id, remedy))
        return Measured(replace(volumes, image=image, excluded=excluded), facts)

    def _excluded(
        self, case: Case, box: tuple[int, ...], volumes: Volumes, facts: dict[str, Any]
    ) -> sitk.Image | None:
        """Find gas and hardware in the image as it is; refuse a vertebra that is mostly hardware."""
        asked = self.preprocessing
        if asked.exclude_above is None and asked.gas_below is None:
            return None
        image, region = _block(volumes, case.label, box, asked.exclude_margin_mm)
        voxels, spacing = sitk.GetArrayViewFromImage(image), image.GetSpacing()
        if asked.gas_below is not None:
            facts["gas_ml"] = gas_volume_ml(voxels, region, spacing, asked.gas_below, asked.gas_erosion_mm)
        if asked.exclude_above is None:
            return None
        bright = bright_voxels(voxels, spacing, asked.exclude_above, asked.exclude_margin_mm)
        share = float((bright & region).sum() / region.sum())
        facts["excluded_share"] = share
        if share > asked.exclude_limit:
            raise ExtractionError(_mostly_hardware(share, asked, case.case_id))
        if share == 0:
            return None
        mask = sitk.GetImageFromArray(bright.astype(np.uint8))
        mask.CopyInformation(image)
        return mask

    def _standardised(
        self, case: Case, box: tuple[int, ...], volumes: Volumes, facts: dict[str, Any]
    ) -> sitk.Image:
        asked, image = self.preprocessing, volumes.image
        if asked.bias_correction == "n4":
            bias = _or_raise(self.bias)
            image = bias.image
            facts |= {"bias_correction": "n4", "bias_low": bias.field_low, "bias_high": bias.field_high}
        if asked.intensity == "none":
            return image
        facts["intensity"] = asked.intensity
        if asked.intensity == "zscore":
            spread = self._own_spread(case, box, image, volumes)
        else:
            standard = _or_raise(self.standard)
            spread = standard.trend.at(spine_position(case.level) if case.level else None, REACH)
            facts |= {
                "reference": standard.tissue,
                "reference_vertebrae": standard.trend.vertebrae if standard.tissue == "vertebrae" else 0,
                "reference_passed": standard.passed,
            }
        facts |= {
            "reference_mu": spread.centre,
            "reference_sigma": spread.width,
            "reference_voxels": spread.voxels,
        }
        return AffineMap(spread.centre, spread.width).apply(image)

    def _own_spread(self, case: Case, box: tuple[int, ...], image: sitk.Image, volumes: Volumes) -> Spread:
        start, stop = np.array(box[0::2]), np.array(box[1::2])
        block = crop(volumes.labels, start, stop)
        # Copies, not views: SimpleITK's views outlive the images that they look at.
        region = sitk.GetArrayFromImage(block) == case.label
        if volumes.excluded is not None:
            out = sitk.Resample(volumes.excluded, block, sitk.Transform(), sitk.sitkNearestNeighbor)
            region &= sitk.GetArrayFromImage(out) == 0
        spread = standard_spread(sitk.GetArrayFromImage(crop(image, start, stop))[region])
        if not spread.usable:
            expected, remedy = (
                "different grey values inside the vertebra",
                "check that the mask is of this image",
            )
            found = f"the value {spread.centre:g} in all {spread.voxels} voxels"
            raise ExtractionError(Problem("RV302", expected, found, case.case_id, remedy))
        return spread

    def _unbiased(self) -> np.ndarray:
        if self.preprocessing.bias_correction == "none":
            return np.asarray(sitk.GetArrayViewFromImage(self.volumes.image))
        return np.asarray(sitk.GetArrayViewFromImage(_or_raise(self.bias).image))

    def _vertebrae(self) -> LevelTrend:
        needed = self.preprocessing.reference_minimum
        if len(self.references) < needed:
            raise _MissingTissueError(f"{len(self.references)} reference vertebrae of {needed} needed")
        image, labels = self._unbiased(), sitk.GetArrayViewFromImage(self.volumes.labels)
        positions, voxels = [], []
        for case in self.references:
            x0, x1, y0, y1, z0, z1 = self.box(case)
            block = slice(z0, z1), slice(y0, y1), slice(x0, x1)
            positions.append(spine_position(case.level) if case.level else None)
            voxels.append(image[block][labels[block] == case.label])
        return level_trend(positions, voxels)

    def _tissue(self, tissue: str) -> LevelTrend:
        found = load_tissue(self.scan, tissue)
        if found is None:
            raise _MissingTissueError(f"none in the mask under the scheme {self.scan.scheme.name!r}")
        mask = self.orientation.apply(found.volume)
        inside = self._unbiased()[sitk.GetArrayViewFromImage(mask) > 0]
        if inside.size < MINIMUM_VOXELS:
            raise _MissingTissueError(f"{inside.size} voxels of {MINIMUM_VOXELS} needed")
        return level_trend([None], [inside])


class _MissingTissueError(Exception):
    """A scan does not have a reference tissue; the next one is tried."""


def prepare(
    scan: Scan, volumes: Volumes, preprocessing: Preprocessing, references: Sequence[Case] = ()
) -> PreparedScan:
    """Bring a scan into the wanted orientation; everything else is done when it is first needed.

    Parameters
    ----------
    scan : Scan
        Where the volumes come from.
    volumes : Volumes
        Image and vertebra labels as the files have them.
    preprocessing : Preprocessing
        Of the scan's sequence.
    references : sequence of Case
        Reference vertebrae of this scan (:func:`radiomics_vert.cohort.reference_cases`).
    """
    geometry = Geometry.of(volumes.image)
    orientation = orientation_of(geometry, preprocessing)
    if preprocessing.orientation == "LPS":
        # Taken out one after the other: what nobody else holds is freed, or moved instead of copied.
        parts = [volumes.labels, volumes.image]
        del volumes
        image = _placed(parts.pop(), orientation)
        volumes = Volumes(image, _placed(parts.pop(), orientation))
    return PreparedScan(scan, volumes, orientation, geometry, preprocessing, tuple(references))


def read_prepared(scan: Scan, preprocessing: Preprocessing, references: Sequence[Case] = ()) -> PreparedScan:
    """Read a scan and bring it into the wanted orientation: :func:`prepare`, with less memory.

    Where axes change places, an image is in memory twice while it is turned; that is done before the mask is
    read.

    Parameters
    ----------
    scan, preprocessing, references
        As for :func:`prepare`.

    Raises
    ------
    ImageError, CohortError
        As :func:`read_volumes`.
    """
    geometry = read_geometry(scan.image, series=scan.series)
    orientation = orientation_of(geometry, preprocessing)
    if orientation.keeps_axes:
        held = [read_volumes(scan)]
        return prepare(scan, held.pop(), preprocessing, references)
    parts = [read_image(scan.image, series=scan.series, verified=True).volume]
    geometry = Geometry.of(parts[0])
    image = _placed(parts.pop(), orientation)
    labels = load_vertebrae(scan)
    _require_same_grid(geometry, labels.geometry, scan)
    parts.append(labels.volume)
    del labels
    volumes = Volumes(image, _placed(parts.pop(), orientation))
    return PreparedScan(scan, volumes, orientation, geometry, preprocessing, tuple(references))


def read_volumes(scan: Scan) -> Volumes:
    """Read image and vertebra label map of a scan, as the files have them.

    Raises
    ------
    ImageError
        RV2xx, RV201 among them where the files changed after the cohort was read.
    CohortError
        As :func:`radiomics_vert.cohort.load_vertebrae`.
    """
    labels = load_vertebrae(scan)  # first: while a mask is read, it is in memory twice
    image = read_image(scan.image, series=scan.series, verified=True)
    _require_same_grid(image.geometry, labels.geometry, scan)
    return Volumes(image.volume, labels.volume)


def _require_same_grid(image: Geometry, labels: Geometry, scan: Scan) -> None:
    if not image.matches(labels):
        raise ImageError(
            Problem(
                "RV201",
                f"the mask's geometry: {labels}",
                f"the image's geometry: {image}",
                scan.scan_id,
                "the files changed after the cohort was read; read it again",
            )
        )


def _placed(volume: sitk.Image, orientation: Orientation) -> sitk.Image:
    parts = [volume]
    del volume  # what nobody else holds is moved, not copied
    return without_position(orientation.apply(parts.pop()))


def orientation_of(geometry: Geometry, preprocessing: Preprocessing) -> Orientation:
    """Return how the axes of a file are reordered before anything is measured."""
    return Orientation.of(geometry) if preprocessing.orientation == "LPS" else Orientation()


def compute_case(
    prepared: PreparedScan,
    case: Case,
    steps: Sequence[Step],
    labels: sitk.Image | None = None,
) -> Iterator[tuple[Step, Outcome]]:
    """Compute the steps for one vertebra, preprocessing included.

    Parameters
    ----------
    prepared : PreparedScan
        The scan.
    case : Case
        The vertebra.
    steps : sequence of Step
        What to compute, with the slice axis already filled in.
    labels : SimpleITK.Image, optional
        Another label map in the order of `prepared.volumes`, which `case` describes. The reference tissue
        stays what it is.

    Yields
    ------
    tuple of (Step, Outcome)
        Steps that read no grey values first; a step that cannot be computed yields a problem.
    """
    volumes, box = prepared.volumes, prepared.box(case)
    if labels is not None:
        volumes = replace(volumes, labels=labels)
    shape = [step for step in steps if not step.reads_image]
    grey = [step for step in steps if step.reads_image]
    yield from compute_steps(volumes, case.label, box, shape, case.case_id)
    if not grey:
        return
    measured = prepared.measured(case, box, volumes)
    if measured.problem is not None:
        for step in grey:
            yield step, Outcome(diagnostics=measured.facts, problem=measured.problem)
        return
    for step, outcome in compute_steps(measured.volumes, case.label, box, grey, case.case_id):
        yield step, replace(outcome, diagnostics={**outcome.diagnostics, **measured.facts})


def reference_digest(scan: Scan, preprocessing: Preprocessing, references: Sequence[Case]) -> str:
    """Return what of the mask the reference intensities of a scan depend on; empty where they are not used.

    Parameters
    ----------
    scan : Scan
        The scan.
    preprocessing : Preprocessing
        Of its sequence.
    references : sequence of Case
        Its reference vertebrae.
    """
    if preprocessing.intensity != "reference":
        return ""
    regions = [[str(case.level or ""), case.mask_digest] for case in references]
    first = preprocessing.reference[0]
    if first == "vertebrae" and len(references) >= preprocessing.reference_minimum:
        return digest(regions)
    try:
        return digest([*regions, mask_digest(scan)])
    except OSError:
        return digest([*regions, "mask cannot be read"])


def _block(
    volumes: Volumes, label: int, box: tuple[int, ...], margin_mm: float
) -> tuple[sitk.Image, np.ndarray]:
    """Return image and region of one vertebra with a margin all around, as far as the image goes."""
    spacing, size = np.array(volumes.image.GetSpacing()), np.array(volumes.image.GetSize())
    # One voxel more than the margin: resampled voxels reach up to half a voxel beyond the region.
    margin = np.ceil(margin_mm / spacing).astype(int) + 1
    start = np.maximum(np.array(box[0::2]) - margin, 0)
    stop = np.minimum(np.array(box[1::2]) + margin, size)
    labels = sitk.GetArrayFromImage(crop(volumes.labels, start, stop))
    return crop(volumes.image, start, stop), labels == label


def _or_raise(found: Value | Problem) -> Value:
    if isinstance(found, Problem):
        raise ExtractionError(found)
    return found


def _mostly_hardware(share: float, asked: Preprocessing, where: str) -> Problem:
    return Problem(
        "RV312",
        f"at most {100 * asked.exclude_limit:g} % of the voxels above {asked.exclude_above:g} or within "
        f"{asked.exclude_margin_mm:g} mm of such a voxel",
        f"{100 * share:.1f} %",
        where,
        "leave a vertebra with cement or implants out of the clinical table; its texture is that of the "
        "artefact",
    )
