"""What a mask outlines beside the vertebrae: canal, cord, discs, muscles, by one set of names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import reduce

import numpy as np

from radiomics_vert.cohort.level_names import mentioned_levels, plain
from radiomics_vert.cohort.loading import as_label_map, open_mask
from radiomics_vert.cohort.nouns import Scan
from radiomics_vert.cohort.schemes import LabelScheme
from radiomics_vert.cohort.segment_names import reads_names, select_vertebrae
from radiomics_vert.errors import CohortError
from radiomics_vert.imaging import Geometry, LabelMap, Segmentation, read_label_map, require_same_geometry
from radiomics_vert.imaging.regions import present_labels

# Our name -> spellings in masks that name their segments; other names are kept as they are.
_SPELLINGS = {
    "cord": ("cord", "spinal cord"),
    "canal": ("canal", "spinal canal", "vertebral canal", "dural sac", "thecal sac"),
    "csf": ("csf", "cerebrospinal fluid"),
    "sacrum": ("sacrum", "sacral bone"),
    "disc": ("disc", "discs", "intervertebral disc", "intervertebral discs", "ivd"),
}
_CANONICAL = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings}
_DISC = re.compile(r"(?<![a-z])(disc|disk|discus|ivd)(?![a-z])")
_DISC_NAME = re.compile(r"^disc(_|$)")
_MUSCLE = re.compile(r"autochthon|psoas|muscle|multifidus|erector_spinae|quadratus_lumborum")


class Structures(Mapping[str, np.ndarray]):
    """Structures by name; voxels are made when a name is looked up.

    Parameters
    ----------
    makers : mapping of str to callable
        Name -> function that returns the voxels.
    geometry : Geometry
        The grid of the mask.
    label_map : LabelMap, optional
        The whole mask, where it is a label map and the numbers of the scheme say what is what.

    Notes
    -----
    The voxels are arrays of bool of shape (z, y, x) on the grid of the mask. They are not kept: look a name
    up once.
    """

    def __init__(
        self,
        makers: Mapping[str, Callable[[], np.ndarray]],
        geometry: Geometry,
        label_map: LabelMap | None = None,
    ) -> None:
        self._makers = dict(sorted(makers.items()))
        self.geometry = geometry
        self.label_map = label_map

    def __getitem__(self, name: str) -> np.ndarray:
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def load_structures(scan: Scan) -> Structures:
    """Return the structures in the mask of a scan that are no vertebra.

    Parameters
    ----------
    scan : Scan
        Image, mask and scheme; of the image, the geometry is read.

    Returns
    -------
    Structures
        A read-only mapping of names to arrays of bool, shape (z, y, x); only what occurs in the mask. Names:
        those of the scheme (`cord`, `canal`, `sacrum`, `autochthon_left`, ...), `disc_L1` for the disc below
        L1, `endplate_L1`; for masks that name their segments, the same names where the meaning is known,
        else the name in lower case with underscores. Structures of the sub-region mask join them where the
        manifest names its scheme.

    Raises
    ------
    ImageError
        The mask cannot be read (RV2xx), or the sub-region mask lies on another grid (RV201).

    Examples
    --------
    >>> structures = load_structures(scan)  # doctest: +SKIP
    >>> structures["canal"].sum()  # doctest: +SKIP
    """
    mask = open_mask(scan)
    by_name = reads_names(scan.scheme, mask)
    makers = _by_name(scan.scheme, mask) if by_name else _by_number(scan.scheme, mask)
    if scan.subregions is not None and scan.subregions_scheme is not None:
        parts = read_label_map(scan.subregions)
        require_same_geometry(mask.geometry, parts.geometry, f"{scan.mask}, {scan.subregions}")
        for name, maker in _of_labels(scan.subregions_scheme, parts).items():
            makers.setdefault(name, maker)
    return Structures(makers, mask.geometry, None if by_name else mask.label_map)


def load_tissue(scan: Scan, tissue: str) -> LabelMap | None:
    """Return where a tissue is that can stand in for bone marrow as a reference.

    Parameters
    ----------
    scan : Scan
        As for :func:`load_structures`.
    tissue : {"muscle", "disc", "csf"}
        `muscle`: the muscles along the spine and the psoas. `disc`: all discs. `csf`: the structure of that
        name, or the spinal canal where the cord is a structure of its own, without the cord.

    Returns
    -------
    LabelMap or None
        1 inside, on the grid of the mask; None where the mask holds no such tissue.

    Raises
    ------
    ImageError
        As :func:`load_structures`.
    """
    structures = load_structures(scan)
    if tissue == "csf":
        names = [name for name in ("csf", "canal") if name in structures][:1]
        if names == ["canal"] and "cord" not in structures:
            names = []
    else:
        fits = _DISC_NAME if tissue == "disc" else _MUSCLE
        names = [name for name in structures if fits.search(name)]
    if not names:
        return None
    inside = np.logical_or.reduce([structures[name] for name in names])
    if names == ["canal"]:
        inside &= ~structures["cord"]
    return as_label_map(inside.astype(np.uint8), structures.geometry, str(scan.mask))


def _union(makers: list[Callable[[], np.ndarray]]) -> Callable[[], np.ndarray]:
    return lambda: np.asarray(reduce(np.logical_or, (maker() for maker in makers)))


def _meanings(scheme: LabelScheme) -> dict[str, tuple[int, ...]]:
    discs = {f"disc_{level}": labels for level, labels in scheme.discs.items()}
    endplates = {f"endplate_{level}": labels for level, labels in scheme.endplates.items()}
    return {**scheme.structures, **discs, **endplates}


def _by_number(scheme: LabelScheme, mask: Segmentation) -> dict[str, Callable[[], np.ndarray]]:
    if mask.label_map is not None:
        return _of_labels(scheme, mask.label_map)
    present = {segment.number for segment in mask.segments}
    makers = {}
    for name, numbers in _meanings(scheme).items():
        found = [number for number in numbers if number in present]
        if found:
            makers[name] = _union([_fetch(mask, number) for number in found])
    return makers


def _of_labels(scheme: LabelScheme, labels: LabelMap) -> dict[str, Callable[[], np.ndarray]]:
    array, present = labels.array(), set(present_labels(labels))
    makers: dict[str, Callable[[], np.ndarray]] = {}
    for name, numbers in _meanings(scheme).items():
        found = [number for number in numbers if number in present]
        if found:
            makers[name] = _selected(array, found)
    return makers


def _selected(array: np.ndarray, numbers: list[int]) -> Callable[[], np.ndarray]:
    def make() -> np.ndarray:
        table = np.zeros(int(array.max()) + 1, dtype=bool)
        table[numbers] = True
        return np.asarray(table[array])

    return make


def _fetch(mask: Segmentation, number: int) -> Callable[[], np.ndarray]:
    return lambda: mask.mask(number).voxels


def _by_name(scheme: LabelScheme, mask: Segmentation) -> dict[str, Callable[[], np.ndarray]]:
    try:
        chosen = select_vertebrae(scheme, mask).vertebrae
    except CohortError:  # no vertebra that can be told from the others; structures may be there all the same
        chosen = {}
    makers: dict[str, list[Callable[[], np.ndarray]]] = {}
    for segment in mask.segments:
        if segment.number not in chosen:
            name = segment.name or next((code.meaning for code in segment.codes if code.meaning), "")
            makers.setdefault(structure_name(name), []).append(_fetch(mask, segment.number))
    return {name: _union(members) for name, members in makers.items() if name}


def structure_name(name: str) -> str:
    """Return our name of a structure that a mask names in its own way.

    Examples
    --------
    >>> structure_name("Spinal_Cord"), structure_name("disc_L5_S1"), structure_name("Autochthon left")
    ('cord', 'disc_L5', 'autochthon_left')
    """
    text = plain(name)
    if text in _CANONICAL:
        return _CANONICAL[text]
    levels = mentioned_levels(name)
    if _DISC.search(text) and levels:
        return f"disc_{min(levels)}"
    return re.sub(r"[^a-z0-9]+", "_", text).strip("_")
