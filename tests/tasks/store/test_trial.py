from mixmatch.errors import ServiceError
from tasks.store.folder import FolderStore
from tasks.store.trial import try_store


class Overwriting(FolderStore):
    """As a server that ignores If-None-Match."""

    def create(self, name, content):
        self.write(name, content)
        return True


class Forgetful(FolderStore):
    """Keeps nothing."""

    def read(self, name):
        return None


class Away(FolderStore):
    """Does not answer."""

    def write(self, name, content):
        raise ServiceError("It is away.")


def test_a_folder_can_do_all(tmp_path):
    for _ in range(2):  # the second time the probe is there
        found = list(try_store(FolderStore(tmp_path)))
        assert found == [("write", None), ("read", None), ("once", None)]


def test_a_store_that_overwrites_is_found_out(tmp_path):
    *_, last = try_store(Overwriting(tmp_path))
    assert last == ("once", "what must be created only once was overwritten")


def test_nothing_is_tried_after_a_failure(tmp_path):
    assert list(try_store(Away(tmp_path))) == [("write", "It is away")]
    assert list(try_store(Forgetful(tmp_path))) == [
        ("write", None),
        ("read", "it returned other bytes than were written"),
    ]
