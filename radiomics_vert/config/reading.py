"""`study.yaml` -> `StudySettings`, with every fault of the file told at once."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from radiomics_vert.config.models import StudySettings
from radiomics_vert.errors import Problem, SettingsError
from radiomics_vert.storage import parse_yaml


def read_settings(path: str | Path) -> StudySettings:
    """Read and check a `study.yaml`.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    StudySettings

    Raises
    ------
    SettingsError
        RV101 no such file, RV603 no valid YAML, RV601 unknown keys, RV602 wrong values; all at once.
    """
    path = Path(path)
    content = _parse(path)
    try:
        return StudySettings.model_validate(content)
    except ValidationError as error:
        lines = _lines(path)
        raise SettingsError(*(_problem(item, path, lines) for item in error.errors())) from None


def json_schema() -> str:
    """Return the JSON Schema of `study.yaml`, for editors that complete and check while typing."""
    schema = StudySettings.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _parse(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        remedy = "run `radiomics-vert init FOLDER`, which writes one to fill in, or correct the path"
        raise SettingsError(Problem("RV101", "a study file", "no such file", str(path), remedy))
    try:
        content = parse_yaml(path.read_text("utf-8"))
    except UnicodeDecodeError as error:
        found = f"byte {error.start} is no UTF-8"
        remedy = "save the file with the encoding UTF-8"
        raise SettingsError(Problem("RV603", "UTF-8 text", found, str(path), remedy)) from None
    except yaml.YAMLError as error:
        raise SettingsError(_syntax(error, path)) from None
    if not isinstance(content, Mapping):
        found = "an empty file" if content is None else f"a {type(content).__name__}"
        remedy = "write settings as `name: value`, see docs/settings.md"
        raise SettingsError(Problem("RV603", "settings by name", found, str(path), remedy))
    return content


def _syntax(error: yaml.YAMLError, path: Path) -> Problem:
    mark = getattr(error, "problem_mark", None)
    return Problem(
        "RV603",
        "valid YAML",
        str(getattr(error, "problem", None) or error),
        f"{path}, line {mark.line + 1}" if mark else str(path),
        "check indentation (spaces, no tabs), quote text that holds a colon, name each setting once",
    )


def _lines(path: Path) -> dict[tuple[str, ...], int]:
    """Map each key path of the file to its line."""
    found: dict[tuple[str, ...], int] = {}

    def walk(node: yaml.Node, prefix: tuple[str, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                here = (*prefix, str(key.value))
                found[here] = key.start_mark.line + 1
                walk(value, here)

    node = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
    if node is not None:
        walk(node, ())
    return found


def _problem(item: Any, path: Path, lines: Mapping[tuple[str, ...], int]) -> Problem:
    location = tuple(str(part) for part in item["loc"])
    name = ".".join(location)
    place = next((lines[location[:n]] for n in range(len(location), 0, -1) if location[:n] in lines), None)
    where = f"{path}, line {place}" if place else str(path)
    if item["type"] == "extra_forbidden":
        return _unknown(name, location, where)
    if item["type"] == "missing":
        remedy = f"add `{location[-1]}`: {_described(location)}"
        return Problem("RV602", f"the setting `{name}`", "it is missing", where, remedy)
    found = f"`{name}` is {item['input']!r}: {_plain(item)}"
    return Problem("RV602", _described(location), found, where, f"correct `{name}`; see docs/settings.md")


def _unknown(name: str, location: Sequence[str], where: str) -> Problem:
    valid = sorted(_fields(location[:-1]))
    near = difflib.get_close_matches(location[-1], valid, n=1, cutoff=0.5) or difflib.get_close_matches(
        location[-1], _all_fields(), n=1, cutoff=0.75
    )
    remedy = f"did you mean `{near[0]}`?" if near else "remove it"
    return Problem("RV601", f"one of {', '.join(valid)}", f"`{name}`", where, remedy)


def _plain(item: Any) -> str:
    message = str(item["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _model_at(location: Sequence[str]) -> type[BaseModel] | None:
    model: type[BaseModel] = StudySettings
    for part in location:
        field = model.model_fields.get(part)
        annotation = field.annotation if field else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return None
        model = annotation
    return model


def _fields(location: Sequence[str]) -> list[str]:
    model = _model_at(location)
    return list(model.model_fields) if model else []


def _all_fields() -> list[str]:
    return [
        *StudySettings.model_fields,
        *(name for part in StudySettings.model_fields for name in _fields((part,))),
    ]


def _described(location: Sequence[str]) -> str:
    """Return the description of the setting at `location`, or of the nearest setting around it."""
    for end in range(len(location), 0, -1):
        model = _model_at(location[: end - 1])
        if model and location[end - 1] in model.model_fields:
            return (model.model_fields[location[end - 1]].description or "a valid value").rstrip(".")
    return "a valid value"
