"""BIDS datasets with derivatives: images from the raw part, masks from the derivatives.

File names as the Brain Imaging Data Structure has them (https://bids.neuroimaging.io): `key-value` entities
joined by `_`, then a suffix. VerSe, SPINEPS and TPTBox write masks as `_seg-vert_msk`, BIDS as `_dseg`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from radiomics_vert.cohort.discovery.nouns import (
    Discovery,
    Row,
    image_files,
    require_folder,
    stem,
    without_repeats,
)
from radiomics_vert.storage import read_table

MASK_SUFFIXES = ("msk", "dseg", "mask", "seg")
# What was segmented, how and on which grid: it tells masks apart, not the images that they belong to.
MASK_ENTITIES = ("seg", "desc", "label", "space", "res", "atlas", "mod", "hemi", "rater")
VERTEBRAE = ("vert", "vertebra", "vertebrae", "vertlabel", "vertebral")
SUBREGIONS = ("subreg", "subregion", "subregions", "spine")
SEQUENCES = {
    "ct": "CT", "t1w": "T1", "t2w": "T2", "stir": "STIR", "adc": "ADC", "pdff": "FAT_FRACTION",
    "ff": "FAT_FRACTION", "t1c": "T1_CONTRAST",
}  # fmt: skip
_SKIPPED = ("sourcedata", "code")


@dataclass(frozen=True)
class BidsName:
    """The parts of a BIDS file name.

    Parameters
    ----------
    path : Path
        The file.
    entities : dict of str to str
        `sub`, `ses`, `acq`, `run`, ... in the order of the name.
    words : tuple of str
        Parts without a dash before the suffix, such as the modality in `sub-1_T2w_label-vert_dseg`.
    suffix : str
        The last part.
    """

    path: Path
    entities: dict[str, str]
    words: tuple[str, ...]
    suffix: str

    @classmethod
    def parse(cls, path: Path) -> BidsName | None:
        """Return the parts of a name, None when it has no subject."""
        parts = stem(path).split("_")
        pairs = [part.partition("-") for part in parts if "-" in part]
        entities = {key: value for key, _, value in pairs}
        words = [part for part in parts if "-" not in part]
        if "sub" not in entities or not words or "-" in parts[-1]:
            return cls(path, entities, tuple(words), "") if "sub" in entities else None
        return cls(path, entities, tuple(words[:-1]), words[-1])

    @property
    def is_mask(self) -> bool:
        """Whether the suffix or an entity says that this is a segmentation."""
        return self.suffix.lower() in MASK_SUFFIXES or "seg" in self.entities

    @property
    def part(self) -> str:
        """`vertebrae`, `subregions`, or empty when the name does not say."""
        told = {self.entities.get(key, "").lower() for key in ("seg", "desc", "label")}
        if told & set(VERTEBRAE):
            return "vertebrae"
        return "subregions" if told & set(SUBREGIONS) else ""

    @property
    def sequence(self) -> str:
        """The sequence as the image table calls it; an unknown suffix stays as it is."""
        text = self.suffix.lower()
        if "stir" in self.entities.get("acq", "").lower():
            return "STIR"
        if text == "t1w" and self.entities.get("ce"):
            return "T1_CONTRAST"
        return SEQUENCES.get(text, self.suffix)

    def belongs_to(self, image: BidsName) -> bool:
        """Whether a mask with this name was drawn on `image`."""
        own = {key: value for key, value in self.entities.items() if key not in MASK_ENTITIES}
        told = self.entities.get("mod") or (self.words[0] if self.words else "")
        return own == image.entities and (not told or told.lower() == image.suffix.lower())


def discover_bids(
    root: str | Path, scheme: str, *, derivatives: str | None = None, mask_name: str | None = None
) -> Discovery:
    """Build an image table from a BIDS dataset.

    Parameters
    ----------
    root : str or Path
        The dataset; images below `sub-*` or `rawdata`, masks below `derivatives` or beside the images.
    scheme : str
        Label scheme of the masks.
    derivatives : str, optional
        Use only the masks below this folder of `derivatives`.
    mask_name : str, optional
        Use only masks whose file name contains this text.

    Returns
    -------
    Discovery
        Sessions come from `ses`; where one session has several images of a sequence, the entities that tell
        them apart are added (`run-2`). `site` comes from `participants.tsv` when that has such a column.
        Images without a mask, or with several, are left out with the reason.

    Raises
    ------
    CohortError
        RV101 no such folder.
    """
    root = Path(root)
    require_folder(root)
    left_out: dict[Path, str] = {}
    images, masks = _names(root, derivatives, mask_name, left_out)
    sites = _sites(root)
    rows = []
    for image in images:
        found = [mask for mask in masks if mask.belongs_to(image)]
        vertebrae, subregions, reason = _choose(found)
        if vertebrae is None:
            left_out[image.path] = reason
            continue
        subject = image.entities["sub"]
        parts = subregions.path if subregions else None
        rows.append(
            Row(
                subject,
                image.sequence,
                image.path,
                vertebrae.path,
                _session(image, images),
                site=sites.get(subject, ""),
                subregions=parts,
            )
        )
    used = {path for row in rows for path in (row.mask, row.subregions)}
    for mask in masks:
        if mask.path not in used and not any(mask.belongs_to(image) for image in images):
            left_out[mask.path] = "a mask without an image of the same name parts"
    return Discovery(without_repeats(rows, left_out), left_out, scheme)


def _names(
    root: Path, derivatives: str | None, mask_name: str | None, left_out: dict[Path, str]
) -> tuple[list[BidsName], list[BidsName]]:
    images, masks = [], []
    for path in image_files(root):
        folders = path.relative_to(root).parts[:-1]
        if any(folder in _SKIPPED for folder in folders):
            continue
        name = BidsName.parse(path)
        derived = "derivatives" in folders
        if name is None:
            left_out[path] = "no subject (sub-...) in the file name"
        elif derived or name.is_mask:
            chosen = derivatives is None or derivatives in folders
            if name.is_mask and chosen and (mask_name is None or mask_name in path.name):
                masks.append(name)
        else:
            images.append(name)
    return images, masks


def _choose(found: Sequence[BidsName]) -> tuple[BidsName | None, BidsName | None, str]:
    """Return the vertebra mask, the sub-region mask, and why there is none."""
    subregions = [mask for mask in found if mask.part == "subregions"]
    others = [mask for mask in found if mask.part == "vertebrae"] or [m for m in found if not m.part]
    if len(others) == 1:
        return others[0], subregions[0] if len(subregions) == 1 else None, ""
    if not others:
        return None, None, "no vertebra mask with the same name parts"
    names = ", ".join(sorted(mask.path.name for mask in others))
    return None, None, f"several masks; choose with --derivatives or --mask-name: {names}"


def _session(image: BidsName, images: Iterable[BidsName]) -> str:
    """Return the session, with the entities that tell images of one session and sequence apart."""
    same = [
        other.entities
        for other in images
        if (other.entities["sub"], other.entities.get("ses"), other.sequence)
        == (image.entities["sub"], image.entities.get("ses"), image.sequence)
    ]
    keys = [key for key in image.entities if key not in ("sub", "ses")]
    telling = [
        f"{key}-{image.entities[key]}" for key in keys if len({entities.get(key) for entities in same}) > 1
    ]
    return "_".join([part for part in [image.entities.get("ses", "")] if part] + telling)


def _sites(root: Path) -> dict[str, str]:
    path = root / "participants.tsv"
    if not path.is_file():
        return {}
    table = read_table(path, text=True)
    if not {"participant_id", "site"} <= set(table.columns):
        return {}
    known = table[["participant_id", "site"]].dropna()
    return {
        str(subject).removeprefix("sub-"): str(site)
        for subject, site in known.itertuples(index=False)
        if not pd.isna(site)
    }
