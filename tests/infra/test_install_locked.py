from infra import install_locked

LOCK = """numpy==2.4.6 \\
    --hash=sha256:11
nvidia-cublas==13.1.1.3 ; sys_platform == 'linux' \\
    --hash=sha256:22 \\
    --hash=sha256:33
torch==2.14.1 \\
    --hash=sha256:44
torchmetrics==1.9.0 \\
    --hash=sha256:55
torchvision==0.29.1 \\
    --hash=sha256:66
"""


def installed(tmp_path, monkeypatch, index):
    """Return arguments and index of each call, and what the file given to the last one holds."""
    calls = []

    def run(command, *, check, env=None):
        assert check
        calls.append((command[6:], (env or {}).get("UV_DEFAULT_INDEX")))

    monkeypatch.setattr(install_locked.subprocess, "run", run)
    lock = tmp_path / "requirements.lock"
    lock.write_text(LOCK)
    install_locked.main(lock, index)
    chosen = tmp_path / "requirements.chosen"
    assert calls[-1] == (["--require-hashes", "-r", str(chosen)], None)
    return calls[:-1], chosen.read_text()


def test_without_an_index_all_is_installed_with_its_hashes(tmp_path, monkeypatch):
    assert installed(tmp_path, monkeypatch, "") == ([], LOCK)


def test_with_an_index_pytorch_comes_from_there_in_the_locks_version(tmp_path, monkeypatch):
    others, chosen = installed(tmp_path, monkeypatch, "an index")
    assert others == [(["torch==2.14.1", "torchvision==0.29.1"], "an index")]
    assert chosen == (
        "numpy==2.4.6 \\\n    --hash=sha256:11\ntorchmetrics==1.9.0 \\\n    --hash=sha256:55\n"
    )
