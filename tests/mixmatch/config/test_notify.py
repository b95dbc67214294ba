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
