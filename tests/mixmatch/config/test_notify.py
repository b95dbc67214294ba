import pytest
from pydantic import TypeAdapter, ValidationError

from mixmatch.config.notify import WebhookAddress


@pytest.mark.parametrize(
    "address",
    [
        "https://hooks.example.com/services/${TOKEN}",
        "http://127.0.0.1:8080/hook?key=${KEY}",
        "${WEBHOOK}",
        "${WEBHOOK}/mixmatch",
    ],
)
def test_a_webhook_is_an_address_whose_secrets_are_named(address):
    assert TypeAdapter(WebhookAddress).validate_python(address) == address


@pytest.mark.parametrize("address", ["ftp://host/x", "hooks.example.com", "https://", "$WEBHOOK"])
def test_anything_else_is_no_webhook(address):
    with pytest.raises(ValidationError, match=r"must begin with http://, https:// or \$\{NAME\}"):
        TypeAdapter(WebhookAddress).validate_python(address)


def test_a_password_is_refused_and_not_shown():
    with pytest.raises(ValidationError, match="must hold no user name or password") as raised:
        TypeAdapter(WebhookAddress).validate_python("https://me:secret@host/x")
    assert "'https://***@host'" in raised.value.errors()[0]["msg"]
    assert "secret" not in raised.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    "address",
    [
        "https://hooks.example.com/services/T0/B0/hunter2hunter2hunter2",
        "https://hooks.example.com/x?key=hunter2",
        "https://hooks.example.com/x?hunter2",
        "https://hooks.example.com/${TOKEN}?a=${KEY}&b=hunter2",
        "https://hooks.example.com/x#hunter2",
        "${WEBHOOK}/hunter2hunter2hunter2",
    ],
)
def test_what_looks_like_a_token_is_refused_and_not_shown(address):
    with pytest.raises(ValidationError, match="from the environment, as in https://HOST") as raised:
        TypeAdapter(WebhookAddress).validate_python(address)
    assert "hunter2" not in raised.value.errors()[0]["msg"]


def test_a_path_of_plain_words_may_be_long():
    address = "https://example.org/hooks/when-compression-is-finished/v2"
    assert TypeAdapter(WebhookAddress).validate_python(address) == address
