"""Sample size: whether the study is large enough for what was asked of it."""

from __future__ import annotations

import pandas as pd

from radiomics_vert.reporting.cells import cells_of, without_empty
from radiomics_vert.reporting.inputs import Inputs, numeric, truth
from radiomics_vert.reporting.nouns import Item, Section, Table, Text
from radiomics_vert.reporting.wording import count, fixed, number, plain, sentence_case

_TITLE = "Sample size"
_SHRINKAGE = (
    "Expected shrinkage: the factor by which effects found here are expected to be smaller in new patients; "
    "1 is no overfitting, below 0.9 is usually called too much.",
)


def section(inputs: Inputs) -> Section:
    """Return the section; without items when neither a plan nor a check was made."""
    items = [*_check(inputs), *_plan(inputs)]
    if items:
        items.append(Text(_SHRINKAGE, "terms"))
    return Section("sample-size", _TITLE, tuple(items))


def shortfall(inputs: Inputs) -> str:
    """Say how far the study is from the largest of the four criteria; empty when it meets all."""
    checks, expected = (
        inputs.table("sample_size_check", "checks"),
        inputs.table("sample_size_check", "expected"),
    )
    if checks.empty or expected.empty or truth(checks, "met").all():
        return ""
    one = expected.iloc[0]
    return (
        f"{number((~truth(checks, 'met')).sum())} of {number(len(checks))} criteria of Riley are not met: "
        f"{number(numeric(checks, 'needed').max())} {inputs.unit[1]} would be needed for "
        f"{count(one['parameters'], 'candidate variable')}, {number(one['n'])} are there; effects are "
        "expected "
        f"to shrink to {fixed(one['shrinkage'])} of their size in new patients"
    )


def _check(inputs: Inputs) -> list[Item]:
    checks, expected = (
        inputs.table("sample_size_check", "checks"),
        inputs.table("sample_size_check", "expected"),
    )
    if checks.empty:
        return []
    shown = pd.DataFrame(
        {
            "Criterion": cells_of(checks, "criterion", lambda name: sentence_case(str(name))),
            "What it asks for": cells_of(checks, "meaning"),
            "Needed": cells_of(checks, "needed", number),
            "Available": cells_of(checks, "available", number),
            "Met": ["yes" if met else "no" for met in truth(checks, "met")],
        },
        dtype=object,
    )
    table = Table(
        "sample-size",
        f"Sample size against the four criteria of Riley. Numbers of {inputs.unit[1]}, clustering included.",
        shown,
        data=checks,
        note="The criteria are for regression without penalty. Penalties and selection inside the folds need "
        "fewer, but the order of size stays.",
    )
    return [*_found(expected, inputs), table]


def _found(expected: pd.DataFrame, inputs: Inputs) -> list[Item]:
    if expected.empty:
        return []
    one, spec = expected.iloc[0], inputs.spec("sample_size_check")
    source = f" (Cox-Snell R² {number(spec['r2_cs'])}, {spec['r2_source']})" if "r2_source" in spec else ""
    return [
        Text(
            (
                f"{count(one['n'], *inputs.unit)} with {count(one['events'], inputs.positive + ' one')} "
                "stand "
                f"against {count(one['parameters'], 'candidate variable')}: "
                f"{number(one['events_per_parameter'])} cases of the rarer class per candidate. Because "
                "those of "
                f"one patient resemble each other they count as {number(round(one['effective_n']))}. "
                "Expected "
                f"shrinkage {fixed(one['shrinkage'])}; {count(one['parameters_supported'], 'candidate')} "
                "could be "
                f"supported{source}.",
            )
        )
    ]


def _plan(inputs: Inputs) -> list[Item]:
    criteria = inputs.table("sample_size", "criteria")
    if criteria.empty:
        return []
    shown = pd.DataFrame(
        {
            "Criterion": cells_of(criteria, "criterion", lambda name: sentence_case(str(name))),
            "What it asks for": cells_of(criteria, "meaning"),
            inputs.unit[1].capitalize(): cells_of(criteria, "n_vertebrae", number),
            "Patients": cells_of(criteria, "n_patients", number),
            "Events": cells_of(criteria, "events", number),
            "Events per candidate": cells_of(criteria, "events_per_parameter"),
            "Expected shrinkage": cells_of(criteria, "shrinkage", fixed),
            "Decides": ["yes" if decides else "" for decides in truth(criteria, "decides")],
            "Note": cells_of(criteria, "note"),
        },
        dtype=object,
    )
    spec = inputs.spec("sample_size")
    given = (
        f"{count(spec['candidate_parameters'], 'candidate variable')} and a prevalence of "
        f"{plain(spec['prevalence'])}"
        if {"candidate_parameters", "prevalence"} <= set(spec)
        else "the figures that were given"
    )
    caption = f"Planned sample size. For {given}; the largest of the four decides."
    return [Table("sample-size-plan", caption, without_empty(shown), data=criteria)]
