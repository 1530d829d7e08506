"""The names that a library user gets from `radiomics_vert`: all there, all documented, loaded late."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import radiomics_vert as rv

HEAVY = ("sklearn", "matplotlib", "statsmodels", "pandas", "scipy", "SimpleITK", "radiomics", "numba")
# What the specification of statistics asks for, by section.
ASKED = {
    "association": ("associate", "adjust", "table_one", "clustered_auc", "clustered_auc_screen"),
    "reliability": ("reliability", "icc", "concordance", "bland_altman", "perturbed_features"),
    "validation": ("cross_validate", "cross_validate_many", "feature_sets", "validate_baselines",
                   "negative_control", "compare", "combine", "at_prevalence", "decision_curve",
                   "optimism", "permutation_test", "leakage_probe", "subgroups", "explain"),
    "sample size": ("plan_sample_size", "sample_size_check"),
    "bundle": ("fit_final", "save_bundle", "load_bundle", "predict", "validate_external"),
    "confounding": ("audit_confounding",),
    "scans": ("discover", "list_series", "read_image", "acquisition_table", "measure_quality",
              "check_quality", "check_pair", "reference_cases", "ReferenceRule"),
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in rv.__all__ if name != "__version__"])
def test_every_public_name_is_there_and_documented(name):
    value = getattr(rv, name)
    assert value.__name__ == name
    text = inspect.getdoc(value)
    assert text
    assert len(text) > 60, "more than a signature"
    if inspect.isfunction(value) and inspect.signature(value).parameters:
        assert "Parameters" in text
        assert "Returns" in text


@pytest.mark.parametrize("section", list(ASKED))
def test_what_the_specification_asks_for_is_public(section):
    assert set(ASKED[section]) <= set(rv.__all__)
    assert set(ASKED[section]) <= set(dir(rv))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="No radiomics_vert attribute cross_validate_all_rows"):
        _ = rv.cross_validate_all_rows


# numba comes with the first case that is measured.
@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("radiomics_vert", HEAVY),
        ("radiomics_vert.cli", ("sklearn", "matplotlib", "statsmodels", "scipy", "SimpleITK", "radiomics")),
        ("radiomics_vert.study.quality", ("sklearn", "statsmodels", "numba")),
        ("radiomics_vert.extraction.extracting", ("sklearn", "statsmodels", "matplotlib", "numba")),
    ],
)
def test_what_a_process_does_not_need_is_not_loaded(module: str, heavy: tuple[str, ...]):
    code = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
