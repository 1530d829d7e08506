from __future__ import annotations

import pickle
from functools import partial

import pandas as pd
import pytest

from radiomics_vert import provenance
from radiomics_vert._version import __version__
from radiomics_vert.errors import CohortError, Problem, TableError, raise_all
from radiomics_vert.parallel import available_cores, resolve_workers, run
from radiomics_vert.provenance import Provenance, git_state, package_state, pyradiomics_distribution, versions
from radiomics_vert.results import Result


def make(code="RV101"):
    return Problem(code, "a file", "nothing", "row 3", "add it")


def test_a_problem_tells_all_its_parts():
    assert str(make()).splitlines() == [
        "RV101 File not found",
        "  expected: a file",
        "  found:    nothing",
        "  where:    row 3",
        "  remedy:   add it",
    ]


def test_an_unlisted_code_is_a_programming_error():
    with pytest.raises(KeyError, match="RV999"):
        make("RV999")


def test_errors_carry_all_problems_across_processes():
    error = CohortError(make(), make("RV102"))
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is CohortError
    assert back.problems == error.problems


def test_raise_all_is_silent_without_problems():
    raise_all(TableError, [])
    with pytest.raises(TableError) as error:
        raise_all(TableError, [make(), make()])
    assert len(error.value.problems) == 2


def slow_square(exponent, value):
    return value**exponent


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_order_and_progress_do_not_depend_on_workers(n_jobs):
    seen = []
    values = run(
        partial(slow_square, 2),
        range(7),
        n_jobs=n_jobs,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert values == [0, 1, 4, 9, 16, 25, 36]
    assert seen == [(i + 1, 7) for i in range(7)]


def test_workers_count_as_in_scikit_learn():
    assert resolve_workers(3) == 3
    assert resolve_workers(-1) == available_cores()
    with pytest.raises(ValueError, match="must not be 0"):
        resolve_workers(0)


def test_versions_name_what_computed_the_features():
    name, version = pyradiomics_distribution()
    assert name.startswith("pyradiomics")
    assert versions()[name] == version
    assert versions()["numpy"]


def test_git_state_outside_a_repository(tmp_path):
    assert git_state(tmp_path) == "not under version control"


def test_the_package_has_a_commit_in_its_own_checkout_only(tmp_path, monkeypatch):
    def state_at(root):
        monkeypatch.setattr(provenance, "__file__", str(root / "radiomics_vert" / "provenance.py"))
        return package_state()

    assert state_at(tmp_path) == __version__
    # Installed into the environment of another repository: its commit would be that of a stranger.
    (tmp_path / ".git").mkdir()
    assert state_at(tmp_path) == __version__
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(provenance, "git_state", lambda folder: f"of {folder.name}")
    assert state_at(tmp_path) == f"{__version__}, commit of {tmp_path.name}"


def test_provenance_survives_pickling():
    provenance = Provenance({"seed": 1}, {"host": "x"})
    assert pickle.loads(pickle.dumps(provenance)) == provenance


def test_a_result_comes_back_from_disk(tmp_path):
    main = pd.DataFrame({"feature": ["a", "b"], "estimate": [0.1, 1 / 3]})
    empty = pd.DataFrame(columns=["code", "reason"])
    result = Result("association", {"features": main, "excluded": empty}, {"n": 2}, Provenance({"v": "1"}))
    result.save(tmp_path)
    back = Result.load(tmp_path, "association")
    pd.testing.assert_frame_equal(back.frame(), main)
    assert list(back.frame("excluded").columns) == ["code", "reason"]
    assert back.spec == {"n": 2}
    assert back.provenance.reproducible == {"v": "1"}
