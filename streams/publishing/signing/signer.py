"""Signs an asset's files, each once: a signed file is kept under what it is made of, and found there the next time.

A signature is other bytes at each run. So the first that was made for a file, a claim and a key is the only one: it is
written where there is none, and who comes second takes the first's.
"""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from schemas.identity import content_id
from schemas.records import PublishRequested
from streams.blobs.content import filed
from streams.blobs.store import NotFound, ObjectStore, PreconditionFailed
from streams.publishing.renditions import Encoded
from streams.publishing.signing import claims
from streams.publishing.signing.keys import SigningKey, UnusableKey
from streams.runtime.errors import Refused, Unavailable

if TYPE_CHECKING:
    from c2pa import Signer

SIGNED = "signed/"
_SETTINGS = {
    "version": 1,
    # Each file is read again as others will, before anybody sees it: 0.7 ms of a core.
    "verify": {"verify_after_sign": True, "remote_manifest_fetch": False, "ocsp_fetch": False},
    "builder": {"thumbnail": {"enabled": False}},
}
# A picture of one pixel, as PNG: what a key is tried on.
_TRIAL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


class Signing:
    """Signs by a key; what is signed is kept in `store`. Safe to use from several threads."""

    def __init__(self, key: SigningKey, store: ObjectStore) -> None:
        self.key = key
        self._store = store

    def check(self) -> None:
        """Tries the key. Raises UnusableKey where it, its certificates or its time stamps are no good."""
        trial = Encoded("image/png", 1, 1, _TRIAL)
        manifest = {"claim_generator_info": [claims.GENERATOR], "ingredients": [], "assertions": []}
        try:
            self._sign({**manifest, "ingredients": [claims.UNKNOWN_PHOTOGRAPH]}, trial)
        except (Refused, Unavailable) as error:
            raise UnusableKey(f"PACKSHOT_SIGNING_…: nothing can be signed by this key: {error}") from error

    def claim_id(self, event: PublishRequested) -> str:
        """What the asset's files would be signed as."""
        return claims.claim_id(event, self.key.id)

    def signed(self, event: PublishRequested, files: Sequence[Encoded]) -> list[Encoded]:
        """An asset's files, its own first, signed. Raises Refused, Unavailable."""
        own, manifest = files[0], claims.claim(event, claims.source_type_in(files[0].data))
        return [self._once(claims.of_file(manifest, own, file), file) for file in files]

    def _once(self, manifest: dict[str, Any], file: Encoded) -> Encoded:
        unsigned = hashlib.sha256(file.data).hexdigest()
        key = SIGNED + filed(content_id("signed", claims.CLAIM, unsigned, self.key.id, manifest))
        try:
            data = self._store.get(key).data
        except NotFound:
            data = self._first(key, self._sign_or_wait(manifest, file), file.media_type)
        return replace(file, data=data, unsigned=unsigned)

    def _first(self, key: str, data: bytes, media_type: str) -> bytes:
        try:
            self._store.put(key, data, content_type=media_type, if_absent=True)
        except PreconditionFailed:  # another publisher signed it in between
            return self._store.get(key).data
        return data

    def _sign_or_wait(self, manifest: dict[str, Any], file: Encoded) -> bytes:
        """The file, signed. Raises Refused for one that cannot be; Unavailable where none can: no picture is at fault.

        A certificate that has expired since is waited for, until a role with a new one is started.
        """
        try:
            return self._sign(manifest, file)
        except Refused as why:
            try:
                self.check()
            except UnusableKey as key:
                raise Unavailable(str(key)) from why
            raise

    def _sign(self, manifest: dict[str, Any], file: Encoded) -> bytes:
        from c2pa import Builder, C2paBuilderIntent, C2paError, Context

        failures: list[Exception] = []
        signed = io.BytesIO()
        try:
            with Context.from_dict(_SETTINGS) as context, self._signer(failures) as signer:
                builder = Builder(json.dumps(manifest), context)
                builder.set_intent(C2paBuilderIntent.EDIT)
                builder.sign(signer, file.media_type, io.BytesIO(file.data), signed)
        except C2paError as error:
            if failures:
                raise Unavailable(f"what signs by the key {self.key.id} does not: {failures[0]}") from failures[0]
            if self.key.time_stamps is not None and "http resolver" in str(error):
                raise Unavailable(f"{self.key.time_stamps} does not stamp the time: {error}") from error
            raise Refused(
                "not_signed", f"a file of {file.media_type} cannot be signed: {error}", field="file"
            ) from error
        return signed.getvalue()

    def _signer(self, failures: list[Exception]) -> "Signer":
        """A signer for one file; what its callback raises is noted, for it does not come through."""
        from c2pa import C2paSignerInfo, C2paSigningAlg, Signer

        key, by = self.key, self.key.callback
        if by is None:
            stamps = key.time_stamps.encode() if key.time_stamps else None
            info = (key.algorithm.encode(), key.certificates.encode(), key.private.encode(), stamps)
            return Signer.from_info(C2paSignerInfo(*info))

        def signature(data: bytes) -> bytes:
            try:
                return by(data)
            except Exception as error:
                failures.append(error)
                raise

        return Signer.from_callback(signature, C2paSigningAlg[key.algorithm.upper()], key.certificates, key.time_stamps)
