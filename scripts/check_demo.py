"""The demo must show what it promises: at least three different outcomes or symptoms, and no failed run."""

import sys

import pandas as pd

runs = pd.read_csv(sys.argv[1])
seen = {*runs["outcome"], *runs["symptom"].dropna()}
assert set(runs["status"]) == {"ok"}, runs["error"].dropna().tolist()
assert runs["seed"].nunique() >= 2, runs["seed"].tolist()
assert len(seen) >= 3, seen
print("The demo showed:", ", ".join(sorted(seen)))
