"""The section `preprocessing` of a parameter file: what happens to an image before pyradiomics sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any

from radiomics_vert.cohort import TISSUES
from radiomics_vert.errors import Problem

REFERENCES = ("vertebrae", *TISSUES)
_CHOICES = {
    "orientation": ("LPS", "file"),
    "bias_correction": ("none", "n4"),
    "intensity": ("none", "reference", "zscore"),
}


@dataclass(frozen=True)
class Preprocessing:
    """What is done to every image of a sequence, in this order.

    Parameters
    ----------
    orientation : {"LPS", "file"}
        `LPS`: axes are permuted and flipped to run to the left, to the back and to the head, and the
        position in space is dropped, so that the way a file stores its voxels changes no value. `file`: as
        stored, for comparisons with stock pyradiomics on the same file.
    exclude_above : float, optional
        Voxels above this value (CT: HU) are cement or metal and left out of grey values; shape keeps them.
    exclude_margin_mm : float
        And so are voxels this close to one of them.
    exclude_limit : float
        A vertebra that loses more than this share of its voxels is not measured.
    gas_below : float, optional
        The volume of voxels below this value (CT: HU) is reported as gas.
    gas_erosion_mm : float
        Only voxels that lie deeper than this inside the vertebra count as gas.
    bias_correction : {"none", "n4"}
        See :func:`radiomics_vert.imaging.preprocessing.correct_bias`.
    intensity : {"none", "reference", "zscore"}
        `reference`: z = (I - mu) / sigma of a reference tissue of the same scan. `zscore`: of the
        vertebra's own voxels.
    reference : tuple of str
        Which tissue, the first that the scan has: `vertebrae` (unfractured ones, with their trend over the
        levels), `muscle`, `disc`, `csf`.
    reference_minimum : int
        So many reference vertebrae are needed; from three on, their level counts.
    """

    orientation: str = "LPS"
    exclude_above: float | None = None
    exclude_margin_mm: float = 3.0
    exclude_limit: float = 0.1
    gas_below: float | None = None
    gas_erosion_mm: float = 1.0
    bias_correction: str = "none"
    intensity: str = "none"
    reference: tuple[str, ...] = REFERENCES
    reference_minimum: int = 2

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Preprocessing:
        """Complete a section that :func:`faults` found nothing wrong in."""
        given = dict(content)
        if "reference" in given:
            given["reference"] = tuple(given["reference"])
        return cls(**given)

    @property
    def changes_intensities(self) -> bool:
        """Whether any voxel gets another value."""
        return self.bias_correction != "none" or self.intensity != "none"

    def content(self, reads_image: bool = True) -> dict[str, Any]:
        """Return what determines the values of a step, as plain values, without settings that are off.

        Parameters
        ----------
        reads_image : bool
            False for shape, which depends on the orientation only.
        """
        kept = {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }
        if not reads_image:
            return {"orientation": self.orientation}
        if self.exclude_above is None:
            del kept["exclude_above"], kept["exclude_margin_mm"], kept["exclude_limit"]
        if self.gas_below is None:
            del kept["gas_below"], kept["gas_erosion_mm"]
        if self.intensity != "reference":
            del kept["reference"]
        if self.intensity != "reference" or "vertebrae" not in self.reference:
            del kept["reference_minimum"]
        return kept


def faults(section: Mapping[str, Any], settings: Mapping[str, Any], where: str) -> Iterator[Problem]:
    """Yield everything that is wrong in a section `preprocessing`.

    Parameters
    ----------
    section : mapping
        The section.
    settings : mapping
        The section `setting` beside it.
    where : str
        The file, for the messages.
    """
    place = f"{where}, preprocessing"
    names = [field.name for field in fields(Preprocessing)]
    for key, value in section.items():
        if key not in names:
            near = get_close_matches(str(key).lower(), names, n=1, cutoff=0.5)
            remedy = f"did you mean {near[0]!r}?" if near else "remove it"
            yield Problem("RV303", f"one of {', '.join(names)}", f"the key {key!r}", place, remedy)
            continue
        expected = _refused(key, value)
        if expected:
            yield Problem("RV303", expected, repr(value), f"{place}, {key}", "correct the value")
    if settings.get("normalize") and section.get("intensity", "none") != "none":
        found = f"intensity {section['intensity']!r} beside 'normalize' of pyradiomics"
        yield Problem(
            "RV303", "one normalisation", found, place, "remove 'normalize' from the section 'setting'"
        )


def _refused(key: str, value: Any) -> str:
    """Return what a setting expects when its value is not that; empty text when it is good."""
    if key in _CHOICES:
        return "" if value in _CHOICES[key] else f"one of {', '.join(_CHOICES[key])}"
    if key == "reference":
        good = isinstance(value, list) and value and len(set(map(str, value))) == len(value)
        return "" if good and set(value) <= set(REFERENCES) else f"a list of some of {', '.join(REFERENCES)}"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key == "reference_minimum":
        return "" if number and isinstance(value, int) and value >= 1 else "a whole number from 1"
    if key == "exclude_limit":
        return "" if number and 0 <= value <= 1 else "a share from 0 to 1"
    if key.endswith("_mm"):
        return "" if number and value >= 0 else "millimetres, 0 or more"
    return "" if number or value is None else "a number in the units of the image"
