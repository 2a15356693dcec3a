import json
import subprocess
import sys

from infoflow.losses import LOSSES

CODE = (
    "import sys; from infoflow.cli import main; sys.argv = ['infoflow', *sys.argv[1:]]\n"
    "try: main()\n"
    "finally: print('torch' in sys.modules, file=sys.stderr)"
)


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-c", CODE, *arguments], capture_output=True, text=True, check=False
    )


def test_the_list_has_every_loss_and_setting_and_loads_no_torch():
    done = run("losses", "--json")
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert list(rows) == list(LOSSES)
    assert "alpha-min=0.2" in rows["batch-entropy"]["settings"]
    assert done.stderr.strip().endswith("False")
    for loss in LOSSES.values():
        assert loss.factory.__doc__
    shown = run("losses").stdout
    assert all(f"{name}: " in shown for name in LOSSES)
    assert max(map(len, shown.splitlines())) <= 80
