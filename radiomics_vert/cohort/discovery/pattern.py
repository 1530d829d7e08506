"""Any folder, described by two patterns such as `{subject}/{sequence}.nii.gz`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from radiomics_vert.cohort.discovery.nouns import Discovery, Row, require_folder, without_repeats
from radiomics_vert.errors import CohortError, Problem

FIELDS = ("subject", "session", "sequence", "rater", "site")
_PLACE = re.compile(r"\{(\w+)\}")


def discover_pattern(
    root: str | Path,
    image: str,
    mask: str,
    scheme: str,
    *,
    subregions: str | None = None,
    sequence: str | None = None,
) -> Discovery:
    """Build an image table from file patterns.

    Parameters
    ----------
    root : str or Path
        Where the patterns start.
    image : str
        Path below `root` with the places `{subject}`, `{session}`, `{sequence}`, `{rater}`, `{site}`, and `*`
        for anything within a name. A pattern that ends in `/` matches folders (DICOM series).
    mask : str
        The same for masks; a place that the image pattern lacks, such as `{rater}`, gives one row for each.
    scheme : str
        Label scheme of the masks.
    subregions : str, optional
        The same for masks that separate body from posterior elements.
    sequence : str, optional
        Of all images, when the pattern has no `{sequence}`.

    Returns
    -------
    Discovery
        Images without a mask and masks without an image are left out with the reason.

    Raises
    ------
    CohortError
        RV101 no such folder; RV602 a pattern without `{subject}`, with an unknown place, or no sequence.

    Examples
    --------
    >>> discover_pattern("scans", "{subject}/ct.nii.gz", "{subject}/seg_{rater}.nii.gz", "verse",
    ...                  sequence="CT")  # doctest: +SKIP
    """
    root = Path(root)
    require_folder(root)
    _require_fields(image, mask, subregions, sequence)
    images, masks = list(_matches(root, image)), list(_matches(root, mask))
    parts = list(_matches(root, subregions)) if subregions else []
    rows, left_out = [], {}
    for path, fields in images:
        found = [
            (other, {**theirs, **fields})
            for other, theirs in masks
            if other != path and _agree(fields, theirs)
        ]
        if not found:
            left_out[path] = "no mask fits the pattern of masks"
        for other, fields_of_both in found:
            extra = [third for third, theirs in parts if _agree(fields_of_both, theirs)]
            rows.append(_row(path, other, fields_of_both, sequence, extra[0] if len(extra) == 1 else None))
    used = {row.mask for row in rows} | {path for path, _ in images}
    left_out |= {path: "no image fits the pattern of images" for path, _ in masks if path not in used}
    return Discovery(without_repeats(rows, left_out), left_out, scheme)


def _row(
    image: Path, mask: Path, fields: dict[str, str], sequence: str | None, subregions: Path | None
) -> Row:
    return Row(
        fields["subject"],
        fields.get("sequence") or sequence or "",
        image,
        mask,
        fields.get("session", ""),
        fields.get("rater", ""),
        fields.get("site", ""),
        subregions,
    )


def _agree(one: dict[str, str], other: dict[str, str]) -> bool:
    return all(one[name] == other[name] for name in one.keys() & other.keys())


def _matches(root: Path, pattern: str) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield paths below `root` that fit a pattern, with what stands at its places."""
    expression = re.compile(_expression(pattern.rstrip("/")))
    for path in sorted(root.rglob("*")):
        if path.is_dir() != pattern.endswith("/"):
            continue
        match = expression.fullmatch(path.relative_to(root).as_posix())
        if match:
            yield path, match.groupdict()


def _expression(pattern: str) -> str:
    """Return the regular expression of a pattern; a place that comes twice must be the same text."""
    seen: set[str] = set()
    pieces = []
    for index, piece in enumerate(_PLACE.split(pattern)):
        if index % 2 == 0:
            pieces.append(re.escape(piece).replace(r"\*", "[^/]*"))
        elif piece in seen:
            pieces.append(f"(?P={piece})")
        else:
            seen.add(piece)
            pieces.append(f"(?P<{piece}>[^/]+?)")
    return "".join(pieces)


def _require_fields(image: str, mask: str, subregions: str | None, sequence: str | None) -> None:
    for option, pattern in (("--image", image), ("--mask", mask), ("--subregions", subregions)):
        if pattern is None:
            continue
        places = set(_PLACE.findall(pattern))
        unknown = sorted(places - set(FIELDS))
        if "subject" not in places or unknown:
            found = f"the unknown place {{{unknown[0]}}}" if unknown else f"{pattern!r} without {{subject}}"
            raise CohortError(
                Problem(
                    "RV602",
                    f"a pattern with {{subject}} and, as needed, {', '.join(f'{{{f}}}' for f in FIELDS[1:])}",
                    found,
                    option,
                    "write the part that names the patient as {subject}, such as {subject}/ct.nii.gz",
                )
            )
    if "{sequence}" not in image and not sequence:
        raise CohortError(
            Problem(
                "RV602",
                "{sequence} in the image pattern, or one sequence for all images",
                "neither",
                "--image",
                "add --sequence CT (or T1, T2, STIR, ...), or write {sequence} into the pattern",
            )
        )
