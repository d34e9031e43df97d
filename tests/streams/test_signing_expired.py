"""A certificate that expires while the publisher works: pictures wait for a new one, and none is refused."""

from datetime import timedelta
from pathlib import Path

import pytest

from streams.blobs import FolderStore
from streams.publishing.publication import Publication
from streams.publishing.signing import keys
from streams.publishing.signing.keys import self_made
from streams.publishing.signing.signer import Signing
from streams.runtime.errors import Unavailable
from tests.streams.shop import CDN, GRACE_S
from tests.streams.test_signing import published, request, signed_shop


def test_a_certificate_that_expires_kills_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "LIFETIME", timedelta(hours=-1))
    expired = Signing(self_made(tmp_path / "expired"), FolderStore(tmp_path / "blobs"))
    shop = signed_shop(tmp_path, expired)
    with pytest.raises(Unavailable, match="PACKSHOT_SIGNING"):
        shop.apply(request(shop), 1)
    monkeypatch.undo()
    good = Signing(self_made(tmp_path / "renewed"), FolderStore(tmp_path / "blobs"))
    shop.publication = Publication(shop.origin, shop.blobs, shop.facts, CDN, shop._tick, GRACE_S, good)
    assert published(shop, request(shop)).asset == "web-1"
