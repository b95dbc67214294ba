import subprocess
import sys

import pytest

import mixmatch


@pytest.mark.parametrize("name", mixmatch.__all__)
def test_every_public_name_exists_and_is_documented(name):
    value = getattr(mixmatch, name)
    assert value is not None
    assert not callable(value) or value.__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = mixmatch.nothing


def test_importing_the_package_does_not_import_torch():
    code = "import mixmatch, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
