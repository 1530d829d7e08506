"""Whether the names of the patients can be what they are taken for."""

from __future__ import annotations

from collections.abc import Iterator

from radiomics_vert.checks.findings import Finding
from radiomics_vert.dataset import Dataset
from radiomics_vert.phrases import count

_SEX, _AGE = ("sex", "gender"), ("age", "age_years")


def check_identities(dataset: Dataset) -> Iterator[Finding]:
    """Yield what is odd about the patients: one for each row, or ids that differ only in spelling.

    Parameters
    ----------
    dataset : Dataset
        Its groups are the patients.

    Yields
    ------
    Finding
        RV411, for a table made elsewhere, where any column may have been named as the patient; RV412;
        RV418 where rows of one patient contradict each other.
    """
    # A cohort says itself who the patient is: one vertebra for each is no reason for doubt there.
    made_elsewhere = "table" in dataset.provenance.reproducible
    if made_elsewhere and dataset.n_subjects == len(dataset):
        yield Finding(
            "RV411",
            "warning",
            f"each of the {len(dataset)} rows has a patient of its own, so nothing is clustered",
            "if the column names the vertebra, the lesion or the scan, name that of the patient instead: "
            "otherwise vertebrae of one patient stand in training and test, and intervals are too narrow",
        )
    alike = dict(_spellings(dataset))
    if alike:
        shown = "; ".join(" and ".join(map(repr, names)) for names in list(alike.values())[:3])
        yield Finding(
            "RV412",
            "warning",
            f"{count(len(alike), 'patient')} under ids that differ only in case or spaces: {shown}; they "
            "are taken for different patients",
            "write the ids of one patient in one way; ids of different patients should differ in more",
            tuple(name for names in alike.values() for name in names),
        )
    yield from _contradictions(dataset)


def _contradictions(dataset: Dataset) -> Iterator[Finding]:
    """Yield patients with two sexes, or with two ages in one session; the values are nobody's business."""
    patients = dataset.groups.astype(str)
    in_session = [patients, dataset.info["session"].fillna("")] if "session" in dataset.info else [patients]
    for name in dataset.covariates.columns:
        kind = str(name).strip().casefold()
        if kind not in (*_SEX, *_AGE):
            continue
        values = dataset.covariates[name].groupby([patients] if kind in _SEX else in_session).nunique()
        wrong = tuple(dict.fromkeys(values[values > 1].index.get_level_values(0)))
        if wrong:
            yield Finding(
                "RV418",
                "warning",
                f"{count(len(wrong), 'patient')} with more than one {name}",
                "correct the cells in the clinical table, or the ids of two patients that share one",
                wrong,
            )


def _spellings(dataset: Dataset) -> Iterator[tuple[str, list[str]]]:
    known: dict[str, list[str]] = {}
    for name in sorted(set(dataset.groups.astype(str))):
        known.setdefault("".join(name.split()).casefold(), []).append(name)
    yield from ((key, names) for key, names in known.items() if len(names) > 1)
