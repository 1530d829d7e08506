from __future__ import annotations

import numpy as np
import pandas as pd

from radiomics_vert.dataset.covariates import covariate_columns


def test_numbers_stay_and_text_becomes_indicators_against_the_first_value():
    table = pd.DataFrame(
        {
            "age": [61, 72, 80],
            "treated": [True, False, True],
            "region": ["lumbar", "cervical", "thoracic"],
            "scanner": ["A", "A", "A"],
        },
        index=["u1", "u2", "u3"],
    )
    columns = covariate_columns(table)
    assert columns.to_dict("list") == {
        "age": [61.0, 72.0, 80.0],
        "treated": [1.0, 0.0, 1.0],
        "region=lumbar": [1.0, 0.0, 0.0],
        "region=thoracic": [0.0, 0.0, 1.0],
    }
    assert columns.index.tolist() == ["u1", "u2", "u3"]


def test_missing_values_stay_missing():
    columns = covariate_columns(pd.DataFrame({"sex": ["male", None, "female"], "age": [1.0, np.nan, 3.0]}))
    assert np.isnan(columns.loc[1]).all()
    assert columns["sex=male"].tolist()[::2] == [1.0, 0.0]


def test_no_covariate_gives_no_column():
    assert covariate_columns(pd.DataFrame(index=["a", "b"])).shape == (2, 0)
