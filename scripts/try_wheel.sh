#!/bin/sh
# Builds sdist and wheel, installs the wheel into a clean environment, and uses it from another folder.
set -eu
venv=$(cd "$1" && pwd)
root=$(pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

"$venv/bin/python" -m build --no-isolation --outdir "$place/dist" . >/dev/null
ls "$place/dist"
tar tzf "$place"/dist/*.tar.gz | grep -E '^[^/]+/(data_gen|losses|experiments)(/|$)' && {
    echo "The sdist holds the links of the checkout." >&2
    exit 1
}
"$venv/bin/python" -m venv "$place/clean"
python="$place/clean/bin/python"
# The lock holds the tools of development too; they do not hurt here, and nothing is resolved anew.
"$python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$root/requirements.lock"
"$python" -m pip install --quiet --disable-pip-version-check --no-deps "$place"/dist/*.whl

mkdir "$place/elsewhere"
cd "$place/elsewhere"
"$place/clean/bin/bboxbench" --help >/dev/null
"$place/clean/bin/bboxbench" generate --n 100
"$place/clean/bin/bboxbench" verify data/letters-n100-seed0
TF_CPP_MIN_LOG_LEVEL=3 "$python" - <<'END'
import pathlib
import bboxbench
from bboxbench.losses import GIoULoss

assert "site-packages" in bboxbench.__file__, bboxbench.__file__
package = pathlib.Path(bboxbench.__file__).parent
assert (package / "py.typed").exists()
# What the page is made of is no Python.
assert all((package / "experiments" / "report" / f"page.{kind}").exists() for kind in ("html.j2", "css", "js"))
print("GIoU loss of two boxes side by side:", float(GIoULoss()([[0.0, 0.0, 1.0, 1.0]], [[1.0, 0.0, 2.0, 1.0]])))
END
"$python" -m pip check
