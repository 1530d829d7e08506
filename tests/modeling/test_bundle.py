"""A bundle: the same model back, the same bytes each time, nothing executed, every change seen."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from skops import io as skops_io

from radiomics_vert.dataset.nouns import Dataset
from radiomics_vert.errors import AnalysisError, SettingsError
from radiomics_vert.modeling import (
    TAKIGAWA_SIGNS,
    FittedModel,
    ModelSpec,
    Preparation,
    ValidationSpec,
    fit_final,
    load_bundle,
    predict,
    save_bundle,
)

DatasetFactory = Callable[..., Dataset]
RULES = ValidationSpec(inner_folds=2)
SPECS = {
    "elastic_net": ModelSpec(grid={"k": (4,), "l1_ratio": (0.5,), "C": (0.5,)}),
    "linear_svm": ModelSpec(
        "linear_svm",
        grid={"k": (4,), "C": (0.1,)},
        preparation=Preparation(selection="mrmr", missing_indicator=True),
        resampling="oversample",
    ),
    "rbf_svm": ModelSpec("rbf_svm", grid={"k": (4,), "C": (0.5,), "gamma": (0.05,)}),
    "random_forest": ModelSpec(
        "random_forest",
        grid={"k": (4,), "min_samples_leaf": (8,)},
        preparation=Preparation(selection="stability"),
    ),
    "hist_gradient_boosting": ModelSpec(
        "hist_gradient_boosting",
        grid={"k": (4,), "max_iter": (20,)},
        preparation=Preparation(selection="l1"),
    ),
    "single_feature": ModelSpec("single_feature", class_weight="balanced"),
}


@pytest.fixture(scope="module")
def dataset(make_dataset: DatasetFactory) -> Dataset:
    found = make_dataset(2, shift=1.0)
    found.X.iloc[::7, 0] = np.nan
    return found


@pytest.fixture(scope="module")
def small(dataset: Dataset) -> FittedModel:
    """The published rule on four signs, whose bundle is small enough to change each of its bytes."""
    signs = (dataset.X.iloc[:, 1:5] > 0).astype(float).set_axis(list(TAKIGAWA_SIGNS), axis=1)
    few = dataset.X.index[:8]
    parts = {name: getattr(dataset, name).loc[few] for name in ("y", "groups", "covariates", "info")}
    return fit_final(replace(dataset, X=signs.loc[few], **parts), ModelSpec("takigawa"), RULES)


@pytest.fixture(scope="module")
def trees(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles of the models that hold decision trees, by their name."""
    folder = tmp_path_factory.mktemp("trees")
    for name in ("random_forest", "hist_gradient_boosting"):
        save_bundle(fit_final(dataset, SPECS[name], RULES), folder / name)
    return folder


@pytest.fixture
def bundle(small: FittedModel, tmp_path: Path) -> Path:
    save_bundle(small, tmp_path / "model")
    return tmp_path / "model"


def exchange(folder: Path, name: str, content: bytes) -> None:
    """Put other content into a bundle and set all checksums right, as a forger would."""
    (folder / name).write_bytes(content)
    sums = {
        one: hashlib.sha256((folder / one).read_bytes()).hexdigest() for one in ("model.json", "model.skops")
    }
    whole = hashlib.sha256(json.dumps(sums, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    text = json.dumps({"bundle": whole, "files": sums}, indent=2, sort_keys=True) + "\n"
    (folder / "checksums.json").write_text(text, "utf-8")


def repacked(content: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """Return a zip archive with changed entries."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return out.getvalue()


@pytest.mark.parametrize("name", list(SPECS))
def test_round_trip_predicts_identically(name: str, dataset: Dataset, tmp_path: Path) -> None:
    fitted = fit_final(dataset, SPECS[name], RULES, with_covariates=True)
    digest = save_bundle(fitted, tmp_path / "model")
    loaded = load_bundle(tmp_path / "model", expected=digest)
    columns = ["probability", "decision"]
    pd.testing.assert_frame_equal(
        predict(loaded, dataset).frame()[columns], predict(fitted, dataset).frame()[columns], check_exact=True
    )
    assert predict(fitted, dataset).frame()["probability"].nunique() > 1
    assert loaded.as_dict() == fitted.as_dict()
    assert replace(loaded, pipeline=fitted.pipeline, bundle="") == fitted
    assert loaded.bundle == digest
    # A second fit lies elsewhere in memory, and a loaded model was never fitted: the same bytes still.
    assert save_bundle(fit_final(dataset, SPECS[name], RULES, with_covariates=True), tmp_path / "2") == digest
    assert save_bundle(loaded, tmp_path / "3") == digest
    for file in sorted((tmp_path / "model").iterdir()):
        assert (tmp_path / "2" / file.name).read_bytes() == file.read_bytes()


def test_nothing_in_the_files_depends_on_the_run(bundle: Path) -> None:
    with zipfile.ZipFile(bundle / "model.skops") as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert "__id__" not in archive.read("schema.json").decode()
    assert sorted(one.name for one in bundle.iterdir()) == ["checksums.json", "model.json", "model.skops"]


def test_no_patient_is_named(bundle: Path, dataset: Dataset) -> None:
    for file in bundle.iterdir():
        content = file.read_bytes().lower()
        assert not any(one.lower().encode() in content for one in [*dataset.groups, *dataset.X.index])


def test_every_changed_byte_is_detected(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {one.name: one.read_bytes() for one in bundle.iterdir()}
    held = dict(files)
    # Files in memory: writing each of some twenty thousand changes to a disk would take minutes there.
    monkeypatch.setattr("radiomics_vert.modeling.bundle._contents", lambda folder: held)
    load_bundle(bundle)
    for name, original in files.items():
        content = bytearray(original)
        for position in range(len(content)):
            content[position] ^= 1 << (position % 8)
            held[name] = bytes(content)
            with pytest.raises(AnalysisError, match="RV510") as caught:
                load_bundle(bundle)
            if name != "checksums.json":
                assert caught.value.problems[0].found == f"{name} differs from its checksum"
            content[position] = original[position]
        held[name] = original
    load_bundle(bundle)


@pytest.mark.parametrize("name", ["model.skops", "model.json", "checksums.json"])
def test_a_changed_file_is_detected(name: str, bundle: Path) -> None:
    original = (bundle / name).read_bytes()
    middle = len(original) // 2
    changed = original[:middle] + bytes([original[middle] ^ 1]) + original[middle + 1 :]
    for other in (changed, original + b"\n", b" " + original, original[:-1], b""):
        (bundle / name).write_bytes(other)
        with pytest.raises(AnalysisError, match="RV510"):
            load_bundle(bundle)
    (bundle / name).write_bytes(original)
    load_bundle(bundle)


@pytest.mark.parametrize("name", ["model.skops", "model.json", "checksums.json"])
def test_a_missing_file_is_detected(name: str, bundle: Path) -> None:
    (bundle / name).unlink()
    with pytest.raises(AnalysisError, match=f"RV510[\\s\\S]*{name} is missing"):
        load_bundle(bundle)


def test_an_added_file_or_folder_is_detected(bundle: Path) -> None:
    (bundle / ".hidden").write_text("", "utf-8")
    with pytest.raises(AnalysisError, match=r"RV510[\s\S]*\.hidden was added"):
        load_bundle(bundle)
    (bundle / ".hidden").unlink()
    (bundle / "more").mkdir()
    with pytest.raises(AnalysisError, match=r"RV510[\s\S]*more was added"):
        load_bundle(bundle)


def test_a_forged_bundle_does_not_have_the_published_digest(bundle: Path, small: FittedModel) -> None:
    published = load_bundle(bundle).bundle
    facts = json.loads((bundle / "model.json").read_text("utf-8"))
    exchange(bundle, "model.json", json.dumps({**facts, "threshold": 0.01}).encode())
    assert load_bundle(bundle).threshold == 0.01 != small.threshold  # consistent in itself
    with pytest.raises(AnalysisError, match=f"RV510[\\s\\S]*expected was {published}"):
        load_bundle(bundle, expected=published)


class Evil:
    """Writes a file when it is rebuilt, by pickle or by any reader that trusts it."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __getstate__(self) -> dict[str, str]:
        return {"target": self.target}

    def __setstate__(self, state: dict[str, str]) -> None:
        Path(state["target"]).write_text("executed", "utf-8")


def evil_things(target: Path) -> dict[str, bytes]:
    import pickle

    evil = Evil(str(target))
    command = partial(os.system, f"touch {target}")
    return {
        "pickle": pickle.dumps(evil),
        "object": skops_io.dumps(Pipeline([("model", evil)])),
        "function": skops_io.dumps(Pipeline([("model", FunctionTransformer(os.path.join))])),
        "partial": skops_io.dumps(Pipeline([("model", FunctionTransformer(command))])),
        "method": skops_io.dumps(Pipeline([("model", FunctionTransformer(evil.__setstate__))])),
        "ufunc": skops_io.dumps(Pipeline([("model", FunctionTransformer(np.log1p))])),
    }


def test_the_evil_object_would_act_on_a_trusting_reader(tmp_path: Path) -> None:
    target = tmp_path / "executed"
    data = evil_things(target)["object"]
    skops_io.loads(data, trusted=skops_io.get_untrusted_types(data=data))
    assert target.read_text("utf-8") == "executed"


@pytest.mark.parametrize("kind", ["pickle", "object", "function", "partial", "method", "ufunc"])
def test_strange_content_is_refused_without_execution(kind: str, bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "executed"
    exchange(bundle, "model.skops", evil_things(target)[kind])
    with pytest.raises(AnalysisError, match="RV510") as caught:
        load_bundle(bundle)
    assert not target.exists()
    named = {"object": "Evil", "partial": "functools.partial", "ufunc": "log1p"}.get(kind, "")
    assert named in caught.value.problems[0].found


def test_a_pickle_within_an_array_is_refused(bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "executed"
    stored = io.BytesIO()
    np.save(stored, np.array([Evil(str(target))], dtype=object), allow_pickle=True)

    def change(name: str, content: bytes) -> bytes:
        return stored.getvalue() if name.endswith(".npy") else content

    exchange(bundle, "model.skops", repacked((bundle / "model.skops").read_bytes(), change))
    with pytest.raises(AnalysisError, match="RV510"):
        load_bundle(bundle)
    assert not target.exists()


def _schema(bundle: Path, edit: Callable[[dict[str, Any]], object]) -> bytes:
    def change(name: str, content: bytes) -> bytes:
        if name != "schema.json":
            return content
        schema = json.loads(content)
        edit(schema)
        return json.dumps(schema).encode()

    return repacked((bundle / "model.skops").read_bytes(), change)


def test_an_older_protocol_a_hidden_node_or_no_pipeline_are_refused(bundle: Path) -> None:
    original = (bundle / "model.skops").read_bytes()
    hidden = {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"}
    edits: list[tuple[Callable[[dict[str, Any]], object], str]] = [
        (lambda schema: schema.update(protocol=1), "protocol 1"),
        (lambda schema: schema.pop("protocol"), "protocol"),
        (lambda schema: schema["content"]["content"].update(more=[hidden]), r"os\.system"),
        (lambda schema: schema.update(__loader__="MethodNode"), "Pipeline"),
        (lambda schema: schema.pop("__class__"), "__class__"),
        (
            lambda schema: schema.update(
                __class__="str", __module__="builtins", __loader__="JsonNode", content="1", is_json=True
            ),
            "in place of a pipeline",
        ),
    ]
    for edit, found in edits:
        exchange(bundle, "model.skops", original)
        exchange(bundle, "model.skops", _schema(bundle, edit))
        with pytest.raises(AnalysisError, match=f"RV510[\\s\\S]*{found}"):
            load_bundle(bundle)


def test_facts_that_are_not_ours_are_refused(bundle: Path) -> None:
    facts = json.loads((bundle / "model.json").read_text("utf-8"))
    for content in ({**facts, "format": 1}, {**facts, "inputs": [{}]}, {"format": 2}, [facts], "text"):
        exchange(bundle, "model.json", json.dumps(content).encode())
        with pytest.raises(AnalysisError, match=r"RV510[\s\S]*model\.json"):
            load_bundle(bundle)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("hist_gradient_boosting", "left", 10**6),
        ("hist_gradient_boosting", "right", 0),
        ("hist_gradient_boosting", "feature_idx", 4),
        ("random_forest", "left_child", 10**6),
        ("random_forest", "feature", 99),
    ],
)
def test_a_tree_that_leads_out_of_itself_is_refused(
    name: str, field: str, value: int, trees: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(trees / name, folder)

    def change(entry: str, content: bytes) -> bytes:
        array = np.load(io.BytesIO(content)) if entry.endswith(".npy") else np.zeros(0)
        if array.dtype.names is None or len(array) < 2:
            return content
        array[field][0] = value
        out = io.BytesIO()
        np.save(out, array)
        return out.getvalue()

    exchange(folder, "model.skops", repacked((folder / "model.skops").read_bytes(), change))
    with pytest.raises(AnalysisError, match="RV510"):
        load_bundle(folder)


def test_a_locked_bundle_is_not_written_over(bundle: Path, small: FittedModel, tmp_path: Path) -> None:
    before = {one.name: one.read_bytes() for one in bundle.iterdir()}
    save_bundle(small, bundle)  # the same bytes
    with pytest.raises(SettingsError, match="RV604"):
        save_bundle(replace(small, threshold=0.1), bundle)
    assert {one.name: one.read_bytes() for one in bundle.iterdir()} == before
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("keep", "utf-8")
    with pytest.raises(SettingsError, match="RV604"):
        save_bundle(small, tmp_path / "notes")
    assert [one.name for one in (tmp_path / "notes").iterdir()] == ["mine.txt"]


def test_no_bundle_at_all(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match=r"RV101[\s\S]*no such folder"):
        load_bundle(tmp_path / "nowhere")


def test_other_versions_are_logged(bundle: Path, caplog: pytest.LogCaptureFixture) -> None:
    facts = json.loads((bundle / "model.json").read_text("utf-8"))
    with caplog.at_level(logging.WARNING, "radiomics_vert.modeling"):
        load_bundle(bundle)
        assert not caplog.records
        facts["versions"]["scikit-learn"] = "0.1"
        exchange(bundle, "model.json", json.dumps(facts).encode())
        load_bundle(bundle)
    assert "scikit-learn 0.1 (now" in caplog.text
