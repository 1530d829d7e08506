"""What is said of one sign: measured, expected, published, and what to beware of."""

from __future__ import annotations

import pandas as pd

from radiomics_vert.reporting.inputs import Inputs, words
from radiomics_vert.reporting.wording import ABSENT, fixed, interval, is_absent, listing, number
from radiomics_vert.signs.literature import limit, measure_name, written_unit

_VERDICTS = ("agrees", "lower", "higher", "not tested")


def sign_name(row: pd.Series) -> str:
    """Return the name of a measured sign with its sequence; of a sign with a side, that of its size."""
    sequence = row.get("sequence")
    return _label(row) if is_absent(sequence) else f"{_label(row)} ({sequence})"


def sign_names(rows: pd.DataFrame) -> list[str]:
    """Return the names of measured signs, each once with all sequences on which it stands in the rows."""
    found: dict[str, list[str]] = {}
    for _, row in rows.iterrows():
        sequences = found.setdefault(_label(row), [])
        if not is_absent(row.get("sequence")):
            sequences.append(str(row["sequence"]))
    return [f"{name} ({listing(on)})" if on else name for name, on in found.items()]


def _label(row: pd.Series) -> str:
    return str(row["label"]) if is_absent(row.get("sided")) else f"{row['label']} to either side"


def limit_words(row: pd.Series) -> str:
    """Return the cut-off of a published figure in words; empty where there is none."""
    return (
        "" if is_absent(row["cut_off"]) else limit(str(row["rule"]), float(row["cut_off"]), str(row["unit"]))
    )


def published_words(row: pd.Series) -> str:
    """Return a published figure with its counts, in two decimals or, where it has more, in three."""
    value, counts = row["published"], row.get("published_counts")
    if is_absent(value):
        return ABSENT
    decimals = 2 if abs(round(float(value), 2) - float(value)) < 1e-9 else 3
    return fixed(value, decimals) + ("" if is_absent(counts) else f" ({counts})")


def sign_sentence(row: pd.Series, figures: pd.DataFrame, inputs: Inputs) -> str:
    """Return what a sign shows, what was expected, and what is known of it, in words."""
    start = f"{sign_name(row)}, column {row['name']}: {row['title']}"
    parts = [f"{start} {_measured(row, inputs)} {_expected(row, inputs)}"]
    if not is_absent(row.get("reference")):
        parts.append(f"Literature: {row['reference']}")
    if len(figures):
        parts += _literature(figures[words(figures, "feature") == str(row["feature"])])
    if not is_absent(row.get("caveat")):
        parts.append(f"Caveat: {row['caveat']}")
    return " ".join(parts)


def _measured(row: pd.Series, inputs: Inputs) -> str:
    if is_absent(row.get("auc")):
        return f"Here not tested ({row.get('note')})."
    unit = f" {written_unit(str(row['unit']))}".rstrip()
    size = "" if is_absent(row.get("sided")) else "its size, whichever the side: "
    return (
        f"Here {size}median {number(row.get('median_negative'))}{unit} in {inputs.negative} and "
        f"{number(row.get('median_positive'))}{unit} in {inputs.positive}, AUC "
        f"{interval(row.get('auc'), row.get('ci_low'), row.get('ci_high'))}."
    )


def _expected(row: pd.Series, inputs: Inputs) -> str:
    """Set what was found against the seeds; without an expectation, say whether it separates."""
    seed = f" ({row['seed']})" if not is_absent(row.get("seed")) else ""
    if not is_absent(row.get("expected")):
        value = "high value" if is_absent(row.get("sided")) else "large one"
        return f"A {value} was expected in {row['expected']}{seed}: {row['agreement']}."
    start = f"No direction was expected{seed}"
    if is_absent(row.get("auc")):
        return f"{start}."
    if float(row["ci_low"]) > 0.5:
        return f"{start}: it separates, higher in {inputs.positive}."
    if float(row["ci_high"]) < 0.5:
        return f"{start}: it separates, higher in {inputs.negative}."
    return f"{start}: no difference was shown."


def _literature(figures: pd.DataFrame) -> list[str]:
    """Set the study against the published figures of one sign; those without own ones by their reason."""
    entries = [rows for _, rows in figures.groupby("entry", sort=False)]
    told: list[str] = []
    alone: dict[tuple[str, str], list[str]] = {}
    for rows in entries:
        first = rows.iloc[0]
        if rows["estimate"].isna().all() and str(first["verdict"]) not in _VERDICTS:
            alone.setdefault((str(first["verdict"]), str(first["remark"])), []).append(str(first["source"]))
        else:
            told.append(_compared(rows))
    return told + [
        f"{'; '.join(dict.fromkeys(sources))}: {verdict} ({remark})."
        for (verdict, remark), sources in alone.items()
    ]


def _compared(rows: pd.DataFrame) -> str:
    """Set the study against the figures of one source, in words."""
    first = rows.iloc[0]
    limited = limit_words(first)
    start = f"{first['source']}, {f'{limited} calls' if limited else 'for'} {first['calls']}"
    told = [_figure(row) for _, row in rows.iterrows()]
    judged = rows[words(rows, "verdict").isin(_VERDICTS)]
    if judged.empty:
        return f"{start}: {'; '.join(told)}; {first['verdict']} ({first['remark']})."
    remark = str(judged.iloc[0]["remark"]) if not is_absent(judged.iloc[0].get("remark")) else ""
    return f"{start}: {'; '.join(told)}{f' ({remark})' if remark else ''}."


def _figure(row: pd.Series) -> str:
    """Return one figure here and there, with its verdict where it has one."""
    measure, there = measure_name(str(row["measure"])), published_words(row)
    if is_absent(row.get("estimate")):
        told = f"{measure} published {there}"
    else:
        here = interval(row["estimate"], row.get("ci_low"), row.get("ci_high"))
        told = f"{measure} here {here}, published {'none' if there == ABSENT else there}"
    return f"{told}, {row['verdict']}" if str(row["verdict"]) in _VERDICTS else told
