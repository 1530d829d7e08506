"""Parameters for slices: the slice axis of each scan is filled in."""

from __future__ import annotations

from dataclasses import replace

from radiomics_vert.errors import ExtractionError, Problem
from radiomics_vert.extraction.params import Step
from radiomics_vert.imaging.preprocessing import DISTINCT, slice_axis


def fit_to_scan(step: Step, spacing: tuple[float, ...], where: str) -> Step:
    """Fill in the slice axis of a 2-D step that leaves it open.

    `force2Ddimension` becomes the slice axis, and the 0 of `resampledPixelSpacing` ("as it is") moves
    to it.

    Parameters
    ----------
    step : Step
        As the parameter file has it.
    spacing : tuple of float
        Millimetres along x, y, z.
    where : str
        The scan, for messages.

    Raises
    ------
    ExtractionError
        RV303: features are wanted in 2-D, but no axis of the scan stands out as the slice axis.
    """
    settings = dict(step.settings)
    if not settings["force2D"] or settings["force2Ddimension"] is not None:
        return step
    axis = slice_axis(spacing)
    if axis is None:
        raise ExtractionError(
            Problem(
                "RV303",
                f"slices at least {DISTINCT:g} times as far apart as pixels, because the parameters "
                "ask for 2-D features (force2D)",
                f"spacing {', '.join(f'{value:.4g}' for value in spacing)} mm",
                where,
                "use parameters without force2D for isotropic scans, or name the slice axis with "
                "force2Ddimension (0: z, axial slices; 1: y, coronal; 2: x, sagittal)",
            )
        )
    settings["force2Ddimension"] = 2 - axis  # pyradiomics counts z, y, x
    wanted = settings.get("resampledPixelSpacing")
    if wanted is not None:
        in_plane = max(wanted)
        settings["resampledPixelSpacing"] = [0 if k == axis else in_plane for k in range(3)]
    return replace(step, settings=settings)
