"""Small pieces of English that messages and reports share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches


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


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a question that names the nearest known name, empty where none is near.

    Examples
    --------
    >>> did_you_mean("Sexe", ["age", "sex"]), did_you_mean("vendor", ["age", "sex"])
    ("did you mean 'sex'?", '')
    """
    near = nearest(name, known)
    return f"did you mean {near!r}?" if near else ""


def nearest(name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """Return the known name that is most like a name, upper and lower case alike; empty where none is near.

    Examples
    --------
    >>> nearest("Metastatik", ["metastatic", "osteoporotic"], cutoff=0.75), nearest("vendor", ["age", "sex"])
    ('metastatic', '')
    """
    plain = {str(one).lower(): str(one) for one in known}
    near = get_close_matches(name.lower(), plain, n=1, cutoff=cutoff)
    return plain[near[0]] if near else ""
