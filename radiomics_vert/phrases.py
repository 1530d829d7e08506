"""Small pieces of English that messages and reports share."""

from __future__ import annotations

from collections.abc import Callable


def count(
    n: float, singular: str, plural: str = "", spelled: Callable[[float], str] = lambda n: f"{n:g}"
) -> str:
    """Return a number with its noun.

    Parameters
    ----------
    n : float
        The number.
    singular, plural : str
        The noun; the plural is the singular with an `s` unless given.
    spelled : callable, optional
        How to write the number.

    Examples
    --------
    >>> count(1, "patient"), count(2, "vertebra", "vertebrae")
    ('1 patient', '2 vertebrae')
    """
    return f"{spelled(n)} {singular if n == 1 else plural or singular + 's'}"


def vertebrae(n: int) -> str:
    """Return a number of vertebrae in words."""
    return count(n, "vertebra", "vertebrae")
