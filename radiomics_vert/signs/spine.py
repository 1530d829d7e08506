"""`Spine`: one scan made ready for the families of signs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from radiomics_vert.imaging.preprocessing import Spread
from radiomics_vert.signs.building import build_vertebrae
from radiomics_vert.signs.marrow import expected_marrow, trabecular_mask
from radiomics_vert.signs.nouns import Mask, SignScan, Vertebra
from radiomics_vert.signs.outline import MIDDLE, NEAR_BACK, NEAR_FRONT, Outline, trace_outline
from radiomics_vert.signs.references import (
    Heights,
    Losses,
    choose_references,
    losses_against,
    positions,
    within_window,
)


@dataclass(frozen=True, eq=False)
class Spine:
    """The vertebrae of one scan with everything that several families need.

    Parameters
    ----------
    scan : SignScan
        Image and masks.
    sequence : str
        What was acquired, in the registry's spelling.
    vertebrae : tuple of Vertebra
        From the head down.
    outlines : mapping of int to Outline
        By label, for vertebrae with a frame.
    heights : mapping of int to Heights
        Likewise.
    places : mapping of int to int
        Place in the row of levels, by label.
    references : mapping of int to tuple of int
        By label, its reference vertebrae: unfractured, within three levels, not itself. Labels without
        any have no entry.
    losses : mapping of int to Losses
        By label, where there are references and heights.
    """

    scan: SignScan
    sequence: str
    vertebrae: tuple[Vertebra, ...]
    outlines: Mapping[int, Outline]
    heights: Mapping[int, Heights]
    places: Mapping[int, int]
    references: Mapping[int, tuple[int, ...]]
    losses: Mapping[int, Losses]

    @cached_property
    def trabecular(self) -> Mapping[int, Mask]:
        """By label, the body without its outer layer, in the box of the vertebra."""
        return {v.label: trabecular_mask(v, self.sequence) for v in self.framed()}

    @cached_property
    def expected(self) -> Mapping[int, Spread]:
        """By label, what its marrow would measure unfractured: median and width of the references' voxels."""
        return expected_marrow(self.scan, self.vertebrae, self.trabecular, self.references, self.places)

    def framed(self) -> list[Vertebra]:
        """Return the vertebrae that have a frame, from the head down."""
        return [vertebra for vertebra in self.vertebrae if vertebra.frame is not None]

    def vertebra(self, label: int) -> Vertebra:
        """Return the vertebra of a label."""
        return next(vertebra for vertebra in self.vertebrae if vertebra.label == label)

    def neighbours(self, label: int) -> tuple[int, int] | None:
        """Return the labels of the next vertebra above and below; None unless both have a frame."""
        by_place = {self.places[v.label]: v.label for v in self.framed() if v.label in self.places}
        place = self.places.get(label)
        if place is None or place - 1 not in by_place or place + 1 not in by_place:
            return None
        return by_place[place - 1], by_place[place + 1]


def prepare_spine(scan: SignScan, sequence: str) -> Spine:
    """Find frames, outlines, heights and reference vertebrae of a scan.

    Parameters
    ----------
    scan : SignScan
        All vertebrae of the scan; leaving neighbours out changes the references.
    sequence : str
        `CT`, `T1`, ...; upper and lower case alike.
    """
    vertebrae = build_vertebrae(scan)
    framed = [vertebra for vertebra in vertebrae if vertebra.frame is not None]
    outlines = {vertebra.label: trace_outline(vertebra) for vertebra in framed}
    heights = {label: _heights(outline) for label, outline in outlines.items()}
    heights = {label: found for label, found in heights.items() if min(found) > 0}
    places = positions(vertebrae)
    sound = [v for v in framed if v.label not in scan.fractured]
    trusted = [v.label for v in sound if v.frame is not None and v.frame.quality.good]
    intact = choose_references(trusted, places, heights)
    references = {label: within_window(label, intact, places) for label in heights if label in places}
    references = {label: others for label, others in references.items() if others}
    losses = {
        label: found
        for label, others in references.items()
        if (found := losses_against(label, others, places, heights)) is not None
    }
    return Spine(scan, sequence.upper(), vertebrae, outlines, heights, places, references, losses)


def _heights(outline: Outline) -> Heights:
    apart = outline.heights()
    return Heights(float(apart[NEAR_FRONT]), float(apart[MIDDLE].min()), float(apart[NEAR_BACK]))
