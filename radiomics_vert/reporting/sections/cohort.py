"""Cohort flow: diagram, numbers, and everything that was left out, with the reason."""

from __future__ import annotations

import pandas as pd

from radiomics_vert.reporting.cells import listing_table, missing
from radiomics_vert.reporting.figures.flow import flow_diagram
from radiomics_vert.reporting.inputs import Inputs, column
from radiomics_vert.reporting.nouns import Item, Section, Table, Text
from radiomics_vert.reporting.sections.counts import counts
from radiomics_vert.reporting.wording import number

_WHY = (
    "Without it a reader cannot tell who was left out, and whether that favours one class; "
    "reporting guidelines ask for it."
)


def section(inputs: Inputs) -> Section:
    """Return the section."""
    flow = inputs.table("flow", "flow")
    if flow.empty:
        return Section("cohort", "Cohort flow", (missing("the cohort flow", _WHY),))
    items: list[Item] = [
        flow_diagram(inputs, _class_lines(inputs)),
        listing_table(
            flow, "cohort-flow", "Cohort flow in numbers. The same as the diagram.",
            {"step": "Step", "unit": "Unit", "entered": "Entered", "left": "Left", "reason": "Reason"},
        ),
        *_left_out(inputs),
    ]  # fmt: skip
    return Section("cohort", "Cohort flow", tuple(items))


def _class_lines(inputs: Inputs) -> tuple[str, ...]:
    found = counts(inputs)
    if not found.positive + found.negative:
        return ()
    return (f"{number(found.positive)} {inputs.positive}, {number(found.negative)} {inputs.negative}",)


def _left_out(inputs: Inputs) -> list[Item]:
    excluded = inputs.table("flow", "excluded")
    items: list[Item] = []
    if excluded.empty:
        items.append(
            Text(("No vertebra with a class was excluded between reading the tables and the analysis.",))
        )
    else:
        items += [
            _reasons(excluded),
            listing_table(
                excluded, "excluded", "Everything that was left out. One row each, with its reason."
            ),
        ]
    unmatched = inputs.table("flow", "unmatched")
    if len(unmatched):
        items.append(
            listing_table(
                unmatched, "unmatched-clinical", "Clinical rows without a vertebra. They entered no analysis."
            )
        )
    unlabelled = inputs.table("flow", "unlabelled")
    if len(unlabelled):
        items.append(
            listing_table(
                unlabelled,
                "unlabelled",
                "Vertebrae without a clinical row of their level. They have no class.",
                most=8,
            )
        )
    return items


def _reasons(excluded: pd.DataFrame) -> Table:
    reasons = pd.DataFrame({"Code": column(excluded, "code"), "Reason": column(excluded, "reason")})
    reasons = reasons.fillna("")
    sizes = reasons.value_counts(sort=False).rename("Left out").reset_index()
    sizes = sizes.sort_values(["Left out", "Code", "Reason"], ascending=[False, True, True], kind="stable")
    return listing_table(
        sizes.reset_index(drop=True),
        "exclusion-reasons",
        "Reasons for exclusion. Most frequent first.",
        most=20,
    )
