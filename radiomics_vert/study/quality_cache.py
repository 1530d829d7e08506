"""What quality control has measured and drawn, by content, so that `run` after `check` does neither again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from radiomics_vert.content_cache import ContentCache
from radiomics_vert.extraction import ExtractionParams
from radiomics_vert.extraction.quality import Row, ScanWork, measured_content
from radiomics_vert.reporting.quality import Picture, View
from radiomics_vert.storage import sha256_file

Pictures = Mapping[str, Picture]
"""Pictures by case id."""


@dataclass(frozen=True)
class QualityCache:
    """Measures and pictures of scans.

    Parameters
    ----------
    entries : ContentCache
        On disk.
    """

    entries: ContentCache

    @classmethod
    def at(cls, folder: Path) -> QualityCache:
        """Return the cache in a folder, which is made when something is written."""
        return cls(ContentCache(folder))

    def rows(self, work: ScanWork, params: Mapping[str, ExtractionParams] | None) -> tuple[Row, ...] | None:
        """Return the measures of a scan; None where they are not known."""
        found = self.entries.load(measured_content(work, params))
        return None if found is None else tuple(found)

    def keep_rows(
        self, work: ScanWork, params: Mapping[str, ExtractionParams] | None, rows: tuple[Row, ...]
    ) -> None:
        """Keep the measures of a scan."""
        self.entries.store(measured_content(work, params), ("quality", work.scan.scan_id), list(rows))

    def pictures(self, work: ScanWork, folder: Path) -> Pictures | None:
        """Return the pictures of a scan; None unless each file in `folder` is the one that was drawn."""
        found = self.entries.load(_drawn_content(work))
        if found is None:
            return None
        try:
            intact = all(sha256_file(folder / entry["file"]) == entry["digest"] for entry in found.values())
        except OSError:
            return None
        return {case_id: _picture(entry) for case_id, entry in found.items()} if intact else None

    def keep_pictures(self, work: ScanWork, folder: Path, pictures: Pictures) -> None:
        """Keep what was drawn, and the digest of each file in `folder`."""
        value = {
            case_id: {**asdict(picture), "digest": sha256_file(folder / picture.file)}
            for case_id, picture in pictures.items()
        }
        self.entries.store(_drawn_content(work), ("pictures", work.scan.scan_id), value)


def _drawn_content(work: ScanWork) -> dict[str, Any]:
    """Return what the pictures of a scan depend on: those of the measures, without parameters."""
    return {**measured_content(work, None), "drawn": True}


def _picture(entry: Mapping[str, Any]) -> Picture:
    low, high = entry["window"]
    views = []
    for view in entry["views"]:
        left, right, upper, lower = view["letters"]
        views.append(View(view["name"], (left, right, upper, lower), view["outline"], view["others"]))
    return Picture(entry["file"], entry["side"], entry["pixel_mm"], (low, high), tuple(views))
