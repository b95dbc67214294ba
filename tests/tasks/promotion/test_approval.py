import pytest

from mixmatch.errors import ArtifactError, PromotionError
from tasks.ledger import read_ledger
from tasks.promotion import approve


def answer(shop, **changes):
    values = {"by": "grace", "why": "looked at the confusions"} | changes
    return approve(shop.site, "shapes", "champion", **values)


def test_a_person_completes_the_request(shop):
    shop.promote(needs_approval=True)
    summary = answer(shop)
    assert (summary.outcome, summary.version, shop.champion()) == ("promoted", 2, 2)
    request, done = read_ledger(shop.store).entries
    assert (request.action, done.action, done.request) == ("request", "promotion", 1)
    assert (done.who, done.why) == ("grace", "looked at the confusions")
    assert (done.policy_digest, done.candidates) == (request.policy_digest, request.candidates)
    assert shop.mark(2)["who"] == "grace"


def test_a_person_says_no_and_the_version_wins_no_more_by_itself(shop):
    shop.promote(needs_approval=True)
    summary = answer(shop, refuse=True)
    assert (summary.outcome, summary.version, shop.champion()) == ("refused", None, None)
    again = shop.promote(needs_approval=True)
    assert (again.outcome, again.version) == ("requested", 4)
    (gate,) = [x for x in again.candidates[1].gates if x.name == "may_return"]
    assert gate.found == "refused by entry 2"


def test_without_a_request_there_is_nothing_to_approve(shop):
    shop.promote()
    with pytest.raises(PromotionError, match=r"A request must wait .* champion of shapes .* none;"):
        answer(shop)


def test_a_request_is_answered_once(shop):
    shop.promote(needs_approval=True)
    answer(shop)
    with pytest.raises(PromotionError, match=r"A request must wait"):
        answer(shop)


def test_a_version_that_changed_since_the_request_is_not_approved(shop):
    shop.promote(needs_approval=True)
    other = shop.client.get_model_version("shapes", "1")
    from pathlib import Path
    from urllib.parse import urlparse

    file = Path(urlparse(other.source).path) / "artifacts" / "network.packed"
    # As if the version had been replaced as a whole, with a file and a tag that agree.
    from mixmatch.digests import file_digest

    shop.tag(2, "digest", file_digest(file))
    with pytest.raises(ArtifactError, match=r"must have the digest"):
        answer(shop)
    assert shop.champion() is None
