"""Features + clinical table -> `Dataset`, with a reason for every row that stays out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from radiomics_vert.cohort import Cohort, Level
from radiomics_vert.dataset.acquisition import ACQUISITION_COVARIATES, case_acquisition, unit_fact
from radiomics_vert.dataset.audit import Audit
from radiomics_vert.dataset.dxa import ABSENT, T_SCORE_COLUMNS, DxaColumns, t_scores
from radiomics_vert.dataset.naming import SEQUENCE_SEPARATOR, unit_ids
from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.dataset.outcome import binary_outcome
from radiomics_vert.dataset.roles import require_one_role
from radiomics_vert.errors import DatasetError, Problem
from radiomics_vert.feature_table import IDENTITY, FeatureTable
from radiomics_vert.phrases import did_you_mean
from radiomics_vert.provenance import Provenance
from radiomics_vert.storage import blanks_filled

DERIVED_COVARIATES = ("level_region", "level_order", "site")


def merge(
    features: FeatureTable | Sequence[FeatureTable],
    clinical: pd.DataFrame,
    *,
    outcome: str,
    positive: str,
    negative: str | None = None,
    covariates: Sequence[str] = (),
    rater: str | None = None,
    acquisition: pd.DataFrame | None = None,
    dxa: DxaColumns | None = None,
) -> Dataset:
    """Join features with the clinical table, one row per vertebra.

    Tables of one cohort with different columns (texture, measured signs) are joined case by case. Several
    sequences of one vertebra stand side by side (`T1__original_glcm_Contrast`). A clinical
    row without a level applies to all vertebrae of its subject; a row with a level goes before it. A
    vertebra that lacks one of several sequences stays, with missing values.

    Parameters
    ----------
    features : FeatureTable or sequence of FeatureTable
        What :func:`radiomics_vert.extract` returned.
    clinical : DataFrame
        `subject_id[, session][, level][, label], <outcome>, <covariates>`.
    outcome : str
        Name of the outcome column.
    positive : str
        The class whose probability is modelled, for example `metastatic`.
    negative : str, optional
        The other class. Without it the outcome must have exactly two values; with it, rows of
        further classes are left out and listed.
    covariates : sequence of str
        Columns of the clinical table, or `level_region`, `level_order`, `site`, or facts of acquisition such
        as `slice_thickness`; a clinical column goes before a fact of the same name.
    rater : str, optional
        Whose masks to use where several raters outlined the same vertebra.
    acquisition : DataFrame, optional
        What :func:`case_acquisition` returned, where facts of acquisition are covariates. With several
        sequences a fact is that of the first one that has it.
    dxa : DxaColumns, optional
        Clinical columns with a measurement by DXA: they make `t_score` and `t_score_class`, which stand in
        `info` and may be named as covariates.

    Returns
    -------
    Dataset
        Rows in the order of the features.

    Raises
    ------
    DatasetError
        RV401/RV402 unusable outcome, RV404 feature not numeric, RV407 a vertebra measured twice,
        RV103 unknown covariate, RV409 one column in two roles, RV416 unusable measurement by DXA.
    """
    require_one_role({"outcome": [outcome], "covariates": list(covariates)}, "study")
    require_one_role({"outcome": [outcome], "dxa": list(dxa.columns.values()) if dxa else []}, "study")
    tables = [features] if isinstance(features, FeatureTable) else list(features)
    audit = Audit()
    wide, info = _matrix(tables, rater, audit)
    matched = _match_clinical(info, clinical)
    if outcome not in clinical.columns:
        raise _missing_column(outcome, clinical, "outcome")
    if dxa is not None:
        made = t_scores(matched, dxa)
        matched = matched.assign(**{name: made[name] for name in T_SCORE_COLUMNS})
        info = info.join(made[[*T_SCORE_COLUMNS, ABSENT]])
    y, negative = binary_outcome(matched[outcome], positive, negative, info, audit)
    kept = y.index
    return Dataset(
        X=wide.loc[kept],
        y=y,
        groups=info.loc[kept, "subject_id"],
        covariates=_covariates(matched, info, covariates, clinical, acquisition).loc[kept],
        audit=audit.frame(),
        info=info.loc[kept],
        outcome=outcome,
        positive=positive,
        negative=negative,
        provenance=Provenance(
            {"features": [dict(t.provenance.reproducible) for t in tables], "images": _images(tables)}
        ),
    )


def feature_matrix(
    features: FeatureTable | Sequence[FeatureTable], rater: str | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return features and identity of each vertebra, sequences side by side, without any outcome.

    Parameters
    ----------
    features, rater
        As in :func:`merge`.

    Returns
    -------
    X : DataFrame
        Indexed by unit id.
    info : DataFrame
        `subject_id, session, level, label, site`; same index.

    Raises
    ------
    DatasetError
        RV404, RV407, RV408, as in :func:`merge`.
    """
    return _matrix([features] if isinstance(features, FeatureTable) else list(features), rater, Audit())


def _matrix(
    tables: Sequence[FeatureTable], rater: str | None, audit: Audit
) -> tuple[pd.DataFrame, pd.DataFrame]:
    values = _joined([table.values for table in tables])
    if values.empty:
        raise DatasetError(_nothing_measured(tables))
    values[list(IDENTITY[:-1])] = blanks_filled(values[list(IDENTITY[:-1])]).astype(str)
    for table in tables:
        audit.failures(table.failures)
    return _side_by_side(_one_rater(values, rater, audit))


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put tables with columns of their own side by side by case, and all others below each other."""
    joined = tables[0].reset_index(drop=True)
    for table in tables[1:]:
        own = set(table.columns) - set(IDENTITY)
        if own & set(joined.columns) or not set(table["case_id"]) & set(joined["case_id"]):
            joined = pd.concat([joined, table], ignore_index=True)
            continue
        names = _feature_columns(table)
        beside = joined.join(table.set_index("case_id")[names], on="case_id")
        rest = table[~table["case_id"].isin(joined["case_id"])]
        joined = pd.concat([beside, rest], ignore_index=True)
    return joined


def _feature_columns(table: pd.DataFrame) -> list[str]:
    """Return the feature columns of a table in their order."""
    return [str(column) for column in table.columns if column not in IDENTITY]


def preview(
    cohort: Cohort,
    *,
    outcome: str,
    positive: str,
    negative: str | None = None,
    covariates: Sequence[str] = (),
    rater: str | None = None,
    dxa: DxaColumns | None = None,
) -> Dataset:
    """Return the dataset that a cohort will give, without any feature: who will enter, with which class.

    Parameters and errors are those of :func:`merge`.
    """
    values = pd.DataFrame([case.identity() for case in cohort.cases], columns=list(IDENTITY))
    empty = pd.DataFrame(columns=list(IDENTITY))
    table = FeatureTable(values, empty, empty, len(values))
    return merge(
        table,
        cohort.clinical,
        outcome=outcome,
        positive=positive,
        negative=negative,
        covariates=covariates,
        rater=rater,
        acquisition=case_acquisition(cohort),
        dxa=dxa,
    )


def _one_rater(values: pd.DataFrame, rater: str | None, audit: Audit) -> pd.DataFrame:
    if rater is not None:
        chosen = values["rater"] == rater
        audit.rows(values[~chosen], "RV403", f"outlined by another rater than {rater!r}")
        values = values[chosen]
    key = unit_ids(values) + " " + values["sequence"]
    twice = values[key.duplicated(keep=False)]
    if twice.empty:
        return values
    raters = sorted(set(twice["rater"]) - {""})
    raise DatasetError(
        Problem(
            "RV407",
            "each vertebra measured once per sequence",
            f"{key[key.duplicated()].nunique()} measured more than once"
            + (f", by the raters {', '.join(raters)}" if raters else ""),
            f"cases {', '.join(twice['case_id'].head(4))}{' ...' if len(twice) > 4 else ''}",
            "name one rater (rater: ...)" if raters else "give repeated scans a session in images.csv",
        )
    )


def _side_by_side(values: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    names = [column for column in values.columns if column not in IDENTITY]
    _require_numeric(values[names])
    units = unit_ids(values)
    order = pd.Index(units.unique(), name="unit")
    sequences = list(dict.fromkeys(values["sequence"]))
    blocks = []
    for sequence in sequences:
        block = values.loc[values["sequence"] == sequence, names].astype(float)
        block.index = pd.Index(units[block.index])
        block = block.dropna(axis="columns", how="all")
        if len(sequences) > 1:
            block.columns = [f"{sequence}{SEQUENCE_SEPARATOR}{name}" for name in block.columns]
        blocks.append(block.reindex(order))
    info = values[["subject_id", "session", "level", "label", "site"]].set_index(pd.Index(units))
    info = info[~info.index.duplicated()].reindex(order)
    return pd.concat(blocks, axis="columns"), info


def _require_numeric(frame: pd.DataFrame) -> None:
    wrong = [name for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])]
    if wrong:
        example = next(value for value in frame[wrong[0]] if isinstance(value, str))
        raise DatasetError(
            Problem(
                "RV404",
                "numbers in every feature column",
                f"{len(wrong)} columns with text, such as {example!r}",
                f"columns {', '.join(wrong[:4])}",
                "correct the cells, or leave the columns out",
            )
        )


def _match_clinical(info: pd.DataFrame, clinical: pd.DataFrame) -> pd.DataFrame:
    """Return one clinical row per unit: the most specific one, filled up from the less specific ones.

    An empty key (session, level, label) in a clinical row means that the row holds for all of them.
    """
    keys = [name for name in ("session", "level", "label") if name in clinical.columns]
    rows = clinical.copy()
    rows[["subject_id", *keys]] = blanks_filled(rows[["subject_id", *keys]]).astype(str)
    filled = [tuple(name for name in keys if row[name] != "") for _, row in rows.iterrows()]
    matched = pd.DataFrame(index=info.index)
    for used in sorted(set(filled), key=lambda names: (len(names), names), reverse=True):
        some = rows[[names == used for names in filled]]
        matched = matched.combine_first(_lookup(some, info, ["subject_id", *used]))
    columns = [column for column in clinical.columns if column not in ("subject_id", *keys)]
    return matched.reindex(index=info.index, columns=columns)


def _lookup(rows: pd.DataFrame, info: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    wanted = pd.MultiIndex.from_frame(info[keys].astype(str))
    table = rows.set_index(keys)
    table.index = pd.MultiIndex.from_frame(rows[keys])
    if table.index.has_duplicates:
        repeated = table.index[table.index.duplicated()][0]
        raise DatasetError(
            Problem(
                "RV104",
                f"one clinical row per {' and '.join(keys)}",
                f"several rows for {', '.join(map(str, repeated))}",
                "clinical table",
                "keep one row, or tell the rows apart by a session or level column",
            )
        )
    found = table.reindex(wanted)
    found.index = info.index
    return found


def _covariates(
    matched: pd.DataFrame,
    info: pd.DataFrame,
    names: Sequence[str],
    clinical: pd.DataFrame,
    acquisition: pd.DataFrame | None,
) -> pd.DataFrame:
    columns = {}
    for name in names:
        if name in matched.columns:
            columns[name] = matched[name]
        elif name == "level_region":
            columns[name] = info["level"].map(_level_region)
        elif name == "level_order":
            columns[name] = info["level"].map(_level_order)
        elif name == "site":
            columns[name] = info["site"].replace("", np.nan)
        elif name in ACQUISITION_COVARIATES:
            columns[name] = unit_fact(acquisition, name).reindex(info.index)
        else:
            raise _missing_column(name, clinical, "covariate")
    return pd.DataFrame(columns, index=info.index).apply(_as_number_where_possible)


def _level_order(level: str) -> float:
    return float(Level.parse(level).order) if level else np.nan


def _level_region(level: str) -> str | None:
    return Level.parse(level).region if level else None


def _as_number_where_possible(column: pd.Series[str]) -> pd.Series[float] | pd.Series[str]:
    text = column.map(lambda cell: cell.strip() if isinstance(cell, str) else cell)
    number = pd.to_numeric(text, errors="coerce")
    return number if number.notna().sum() == text.notna().sum() else text


def _images(tables: Sequence[FeatureTable]) -> list[str]:
    """Return the digests of all images, by which two cohorts can be told to share one."""
    digests = [t.diagnostics["image_digest"] for t in tables if "image_digest" in t.diagnostics]
    return sorted({str(digest) for column in digests for digest in column.dropna()} - {""})


def _nothing_measured(tables: Sequence[FeatureTable]) -> Problem:
    failures = pd.concat([table.failures for table in tables])
    reasons = (failures["code"] + " " + failures["title"]).value_counts()
    found = "; ".join(f"{n} x {reason}" for reason, n in reasons.items()) or "no case at all"
    remedy = "run `radiomics-vert check`, which tells what to mend"
    return Problem("RV408", "at least one measured vertebra", found, "feature table", remedy)


def _missing_column(name: str, clinical: pd.DataFrame, role: str) -> DatasetError:
    known = list(map(str, clinical.columns))
    known += [*DERIVED_COVARIATES, *ACQUISITION_COVARIATES] if role == "covariate" else []
    meant = did_you_mean(name, known)
    return DatasetError(
        Problem(
            "RV103",
            f"the {role} {name!r} as a column of the clinical table"
            + (
                f", one of {', '.join(DERIVED_COVARIATES)}, or a fact of acquisition such as slice_thickness"
                if role == "covariate"
                else ""
            ),
            f"the columns {', '.join(map(str, clinical.columns))}",
            "clinical table",
            (f"{meant} Otherwise " if meant else "")
            + f"correct the name of the {role} in the study, or add the column",
        )
    )
