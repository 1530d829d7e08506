"""The imaging signs of one image and its mask, without a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from radiomics_vert.cohort import Case, Refusal, Scan, examine_scan, load_scheme
from radiomics_vert.cohort.manifest import body_problem, unseparated
from radiomics_vert.errors import CohortError, Problem, SettingsError
from radiomics_vert.reporting.cells import for_spreadsheets
from radiomics_vert.reporting.sheets import SignSheets, write_sign_sheets
from radiomics_vert.signs import ScanSigns, load_sign_scan, measure_spine, prepare_spine
from radiomics_vert.signs.registry import SEQUENCES
from radiomics_vert.storage import write_table
from radiomics_vert.study.pair import named_scan, require_files
from radiomics_vert.study.sign_sheets import SHEETS, scan_sheet


@dataclass(frozen=True)
class ScanSource:
    """Files of one scan, and what they are.

    Parameters
    ----------
    image, mask : Path
        Any file or folder that a row of an image table may name.
    scheme : str
        Label scheme of the mask; see :func:`radiomics_vert.cohort.load_scheme`.
    sequence : str
        As the registry of signs spells it: `CT`, `T1`, ...; upper and lower case alike.
    series : str
        Which series of a DICOM folder.
    subregions : Path, optional
        A second mask that separates body from posterior elements.
    subregions_scheme : str
        What its numbers mean; by default what the scheme of the mask says.
    companions : mapping of str to Path
        Further images on the same grid, by sequence.
    """

    image: Path
    mask: Path
    scheme: str
    sequence: str
    series: str = ""
    subregions: Path | None = None
    subregions_scheme: str = ""
    companions: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class ScanMeasured:
    """The signs of one scan, or why it is refused.

    Parameters
    ----------
    scan_id : str
        Name of the scan.
    signs : ScanSigns or None
        None where the whole scan is refused.
    refused : tuple of Refusal
        The scan, or single vertebrae of it.
    apart : tuple of str
        Sequences of companions that lie on another grid and were left out.
    pages : Path, optional
        `index.html` of the sign sheets, where they were asked for.
    """

    scan_id: str
    signs: ScanSigns | None
    refused: tuple[Refusal, ...]
    apart: tuple[str, ...] = ()
    pages: Path | None = None


def measure_one(source: ScanSource, *, output: Path | None = None) -> ScanMeasured:
    """Measure the signs of one image and its mask.

    Parameters
    ----------
    source : ScanSource
        The files.
    output : Path, optional
        Folder for `signs.csv`, `absences.csv`, `frames.csv` and the sign sheets; without it none are written.

    Raises
    ------
    SettingsError
        RV101: a file is missing. RV602: a sequence that the registry does not know.
    CohortError
        RV107: no such scheme, or one without vertebrae.
    """
    _require_sequences(source.sequence, *source.companions)
    further = [path for path in (source.subregions, *source.companions.values()) if path is not None]
    require_files(source.image, source.mask, *further)
    scan = _scan(source)
    cases, refused = examine_scan(scan)
    if not cases:
        return ScanMeasured(scan.scan_id, None, refused)
    return _measured(cases, refused, source, output)


def _require_sequences(*names: str) -> None:
    unknown = [name for name in names if name.upper() not in SEQUENCES]
    if unknown:
        remedy = "name one of them; --list shows which signs each has"
        expected = f"a sequence of the registry: {', '.join(SEQUENCES)}"
        raise SettingsError(
            *(Problem("RV602", expected, repr(name), "--sequence or --companion", remedy) for name in unknown)
        )


def _scan(source: ScanSource) -> Scan:
    scheme = load_scheme(source.scheme)
    problem = None if scheme.separates_vertebrae else unseparated(scheme, "--scheme")
    if source.subregions_scheme:
        scheme = replace(scheme, body=load_scheme(source.subregions_scheme).body)
    if source.subregions is not None and problem is None:
        problem = body_problem(scheme, "body", has_subregions=True, where="--subregions-scheme")
    if problem is not None:
        raise CohortError(problem)
    scan = named_scan(source.image, source.mask, scheme, source.sequence.upper(), source.series)
    return replace(scan, region=scheme.region, subregions=source.subregions)


def _measured(
    cases: tuple[Case, ...], refused: tuple[Refusal, ...], source: ScanSource, output: Path | None
) -> ScanMeasured:
    scan = cases[0].scan
    asked = {
        name.upper(): replace(scan, image=path, sequence=name.upper(), series="")
        for name, path in source.companions.items()
    }
    loaded = load_sign_scan(cases, asked)
    spine = prepare_spine(loaded, source.sequence)
    signs = measure_spine(spine)
    apart = tuple(sorted(set(asked) - set(loaded.companions)))
    if output is None:
        return ScanMeasured(scan.scan_id, signs, refused, apart)
    write_table(for_spreadsheets(signs.values), output / "signs.csv")
    write_table(for_spreadsheets(signs.absences), output / "absences.csv")
    write_table(for_spreadsheets(signs.facts), output / "frames.csv")
    sheet = scan_sheet(spine, signs, output / SHEETS)
    pages = write_sign_sheets(SignSheets(scan.scan_id, (sheet,)), output / SHEETS)
    return ScanMeasured(scan.scan_id, signs, refused, apart, pages)
