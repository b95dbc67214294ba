import pytest

from tasks.addresses import shown


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://127.0.0.1:4200/api", "http://127.0.0.1:4200/api"),
        ("sqlite:////home/me/mlflow.db", "sqlite:////home/me/mlflow.db"),
        ("postgresql://user:p%40ss@db:5432/mlflow", "postgresql://***@db:5432/mlflow"),
        ("https://token@mlflow.example.org/a@b", "https://***@mlflow.example.org/a@b"),
        ("https://user:pa@ss@host/", "https://***@host/"),
    ],
)
def test_credentials_are_never_shown(address, expected):
    assert shown(address) == expected
