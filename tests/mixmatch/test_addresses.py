import pytest

from mixmatch.addresses import bare, masked, shown


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://127.0.0.1:4200/api", "http://127.0.0.1:4200/api"),
        ("sqlite:////home/me/mlflow.db", "sqlite:////home/me/mlflow.db"),
        ("postgresql://user:p%40ss@db:5432/mlflow", "postgresql://***@db:5432/mlflow"),
        ("https://token@mlflow.example.org/a@b", "https://***@mlflow.example.org/a@b"),
        ("https://user:pa@ss@host/", "https://***@host/"),
        ("postgresql://me@/mlflow?host=db&password=x", "postgresql://***@/mlflow?***"),
        ("https://host/api?token=x", "https://host/api?***"),
        ("postgresql://me:a/b#c?d@db:5432/mlflow", "postgresql://***@db:5432/mlflow"),
        ("postgresql+psycopg2://me:a/b@c@db/mlflow?x=y", "postgresql+psycopg2://***@db/mlflow?***"),
        ("http://host:5000/a@b", "http://host:5000/a@b"),
    ],
)
def test_credentials_are_never_shown(address, expected):
    assert shown(address) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://user:pass@host:5000/api?token=secret#top", "https://host:5000/api"),
        ("postgresql://db/mlflow?password=secret", "postgresql://db/mlflow"),
        ("postgresql://me:a/b#c@db:5432/mlflow", "postgresql://db:5432/mlflow"),
        ("sqlite:////home/me/mlflow.db", "sqlite:////home/me/mlflow.db"),
        ("/home/me/photos", "/home/me/photos"),
    ],
)
def test_a_bare_address_only_leads_there(address, expected):
    assert bare(address) == expected


def test_a_message_of_an_sdk_is_shown_without_credentials():
    text = 'Could not connect to "http://me:p@ss@host:9/x" nor to "https://host/a@b".'
    assert masked(text) == 'Could not connect to "http://***@host:9/x" nor to "https://host/a@b".'
    text = "(mysql://me:a/b#c@db/x) and http://host:5000/a@b"
    assert masked(text) == "(mysql://***@db/x) and http://host:5000/a@b"
