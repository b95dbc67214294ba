import pytest
import timm

from mixmatch.architectures import (
    OWN_ARCHITECTURES,
    check_name,
    check_published,
)
from mixmatch.errors import ConfigError


def test_our_own_names_are_not_timms():
    assert not [name for name in OWN_ARCHITECTURES if timm.is_model(name)]


def test_our_own_names_are_known_and_suggested():
    check_name("vgg11_cifar")
    with pytest.raises(ConfigError, match=r"no architecture 'vgg11_cifr'; did you mean vgg11_cif"):
        check_name("vgg11_cifr")


def test_only_timms_names_may_have_published_weights():
    check_published("resnet18")
    with pytest.raises(ConfigError, match=r"must not be timm for 'vgg11_cifar': no weights of it"):
        check_published("vgg11_cifar")
    with pytest.raises(ConfigError, match=r"must not be timm for 'nets:build': no weights of it"):
        check_published("nets:build")
    with pytest.raises(ConfigError, match=r"timm knows no architecture 'resnet_18'"):
        check_published("resnet_18")
