import pytest

from flows.cli.options import load, open_site
from mixmatch.errors import ConfigError


def test_a_wrong_run_file_creates_no_workspace(tmp_path):
    with pytest.raises(ConfigError, match="must exist"):
        load(tmp_path / "nothing.yaml", None, tmp_path / "ws")
    assert not (tmp_path / "ws").exists()


def test_the_option_wins_over_the_variable(tmp_path, run_file, monkeypatch):
    monkeypatch.setenv("MIXMATCH_HOME", str(tmp_path / "variable"))
    assert load(run_file, ["seed=4"], tmp_path / "option")[1].workspace == str(tmp_path / "option")
    assert open_site(None).workspace == str(tmp_path / "variable")
    assert open_site(None).store == str(tmp_path / "variable" / "store")
