"""Net benefit of made-up predictions from the Python package dcurves: python dcurves.py (see README.md)."""

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path = [entry for entry in sys.path if Path(entry).resolve() != HERE]  # this file is named dcurves too

import dcurves  # noqa: E402
import pandas as pd  # noqa: E402

cases = range(1, 71)
p = [round(0.02 + 0.96 * ((37 * i) % 71) / 71, 2) for i in cases]
y = [int(((29 * i) % 73) / 73 < 0.2 + 0.6 * chance) for i, chance in zip(cases, p, strict=True)]
thresholds = [t / 100 for t in range(5, 100, 10)]
found = dcurves.dca(pd.DataFrame({"y": y, "p": p}), "y", ["p"], thresholds=thresholds)
by_model = {name: rows["net_benefit"].tolist() for name, rows in found.groupby("model")}
golden = {"p": p, "y": y, "thresholds": thresholds, "net_benefit": by_model}
(HERE / "dcurves.json").write_text(json.dumps(golden) + "\n", "utf-8")
