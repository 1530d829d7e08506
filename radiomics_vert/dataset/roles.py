"""A column has one role: an outcome that is also a covariate would predict itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from radiomics_vert.errors import DatasetError, Problem


def require_one_role(roles: Mapping[str, Sequence[str]], where: str) -> None:
    """Refuse a column that is named in two roles.

    Parameters
    ----------
    roles : mapping of str to sequence of str
        Columns by role.
    where : str
        What names them, for the message.

    Raises
    ------
    DatasetError
        RV409, with every such column.
    """
    named: dict[str, list[str]] = {}
    for role, columns in roles.items():
        for column in dict.fromkeys(columns):
            named.setdefault(column, []).append(role)
    problems = [
        Problem(
            "RV409",
            "one role for each column",
            f"{column!r} as {' and as '.join(found)}",
            where,
            "name the column once; an outcome among the covariates would predict itself",
        )
        for column, found in named.items()
        if len(found) > 1
    ]
    if problems:
        raise DatasetError(*problems)
