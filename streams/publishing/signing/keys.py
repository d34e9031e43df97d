"""The key that pictures are signed by: a customer's own, or one that the installation made for itself.

A self-made key shows that a file is as it was published, and nothing of who published it: only products that passed
C2PA's conformance programme get a certificate that others trust. Its name says so in every file.
"""

import datetime
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streams.runtime.private import open_private, private_folder, write_private
from streams.runtime.settings import Settings, SettingsError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, CertificateBuilder, Name

SELF_MADE = "self-made"
MAKER = "Self-made by Packshot: nobody vouches for whose it is"  # 64 characters at most
FILE = "self-made.pem"  # the key, its certificate, and that of the authority which signed it and is forgotten
LIFETIME = datetime.timedelta(days=20 * 365)  # pictures stay live for years, and nobody stamps the time
_BEGIN = "-----BEGIN CERTIFICATE-----"
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}

Sign = Callable[[bytes], bytes]
"""Signs bytes: ECDSA as DER or r and s one after the other, RSA by PSS with SHA-256, or Ed25519."""


class UnusableKey(SettingsError):
    """The settings name a key or certificate that nothing can be signed by; the message names the setting."""


@dataclass(frozen=True)
class SigningKey:
    """A key by its `id`, with its certificates as PEM, the key's own first, and C2PA's name of its algorithm.

    Signed by `private` (PEM), or by `callback` where the key never leaves its HSM or KMS. `anchors`, PEM, are the
    authorities to trust it by; "" for a customer's, whose trust is not ours to give. `time_stamps` is the URL of an
    RFC 3161 server, None for no stamps.
    """

    id: str
    certificates: str
    algorithm: str
    private: str = ""
    callback: Sign | None = None
    anchors: str = ""
    time_stamps: str | None = None

    @property
    def is_self_made(self) -> bool:
        """Whether the installation made it for itself, so that it proves nothing of who."""
        return self.id == SELF_MADE


def key_of(settings: Settings) -> SigningKey | None:
    """The key that the settings name, a self-made one where they name none, None where nothing is to be signed.

    Raises UnusableKey, NotPrivate, OSError.
    """
    if not settings.signing:
        return None
    if settings.signing_certificates is None:
        if settings.signing_key is not None or settings.signing_callback is not None:
            raise UnusableKey("PACKSHOT_SIGNING_CERTIFICATES: a key of your own needs its certificates")
        return self_made(settings.data_folder / "signing")
    certificates = _text(settings.signing_certificates, "PACKSHOT_SIGNING_CERTIFICATES")
    leaf = _leaf(certificates)
    named: dict[str, Any] = {"time_stamps": settings.signing_time_stamps}
    if settings.signing_callback is not None:
        named["callback"] = _callback(settings.signing_callback)
    elif settings.signing_key is not None:
        named["private"] = _text(settings.signing_key, "PACKSHOT_SIGNING_KEY")
    else:
        raise UnusableKey("PACKSHOT_SIGNING_KEY: name a key, or PACKSHOT_SIGNING_CALLBACK what signs by it")
    return SigningKey(_fingerprint(leaf), certificates, _algorithm(leaf), **named)


def anchors_of(settings: Settings) -> str:
    """The authorities, PEM, by which files of this installation are trusted: its own where it made its key, those in
    the customer's certificates, "" for none. Makes no key. Raises UnusableKey."""
    file = settings.data_folder / "signing" / FILE
    own = self_made(file.parent).anchors if file.exists() else ""
    if settings.signing_certificates is None:
        return own
    text = _text(settings.signing_certificates, "PACKSHOT_SIGNING_CERTIFICATES")
    _, *authorities = text.split(_BEGIN)[1:] or [""]
    return own + "".join(_BEGIN + each for each in authorities)


def self_made(folder: Path) -> SigningKey:
    """The installation's own key in `folder`, made where it is not there. Raises NotPrivate, UnusableKey, OSError."""
    file = private_folder(folder) / FILE
    if not file.exists():
        write_private(file, _made())
    with open(open_private(file)) as kept:
        private, _, certificates = kept.read().partition(_BEGIN)
    leaf, _, authority = certificates.partition(_BEGIN)
    if not private or not authority:
        raise UnusableKey(f"{file} is no key of ours; take it away, and another is made")
    return SigningKey(SELF_MADE, _BEGIN + leaf, "es256", private=private, anchors=_BEGIN + authority)


def _made() -> str:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    whose = _name("Packshot's self-made authority")
    root = _authority(whose, authority).sign(authority, hashes.SHA256())
    leaf = _end_entity(whose, authority, key).sign(authority, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode() + "".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in (leaf, root))


def _name(common: str) -> "Name":
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    parts = ((NameOID.ORGANIZATION_NAME, MAKER), (NameOID.COMMON_NAME, common))
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in parts])


def _authority(whose: "Name", key: "EllipticCurvePrivateKey") -> "CertificateBuilder":
    from cryptography import x509

    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    return (
        _certificate(whose, whose, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )


def _end_entity(
    issuer: "Name", authority: "EllipticCurvePrivateKey", key: "EllipticCurvePrivateKey"
) -> "CertificateBuilder":
    """By C2PA's profile of certificates: for digital signatures alone, and with a purpose."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    return (
        _certificate(_name("Packshot's self-made key"), issuer, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(by, critical=False)
    )


def _certificate(subject: "Name", issuer: "Name", key: "EllipticCurvePrivateKey") -> "CertificateBuilder":
    from cryptography import x509

    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # clocks of those who read it differ
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _text(path: Path, variable: str) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableKey(f"{variable}: {path} cannot be read: {error}") from error


def _leaf(certificates: str) -> "Certificate":
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(certificates.encode())[0]
    except ValueError as error:
        raise UnusableKey(f"PACKSHOT_SIGNING_CERTIFICATES: no certificates in PEM: {error}") from error


def _algorithm(leaf: "Certificate") -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    match leaf.public_key():
        case ec.EllipticCurvePublicKey() as key if key.curve.name in _CURVES:
            return _CURVES[key.curve.name]
        case ed25519.Ed25519PublicKey():
            return "ed25519"
        case rsa.RSAPublicKey():
            return "ps256"
    raise UnusableKey("PACKSHOT_SIGNING_CERTIFICATES: C2PA knows keys on P-256, P-384, P-521, Ed25519, and RSA's")


def _fingerprint(leaf: "Certificate") -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return sha256(leaf.public_bytes(Encoding.DER)).hexdigest()[:16]


def _callback(name: str) -> Sign:
    module, _, function = name.partition(":")
    try:
        found: Sign = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise UnusableKey(f"PACKSHOT_SIGNING_CALLBACK: there is no {name!r}, as MODULE:FUNCTION: {error}") from error
    if not callable(found):
        raise UnusableKey(f"PACKSHOT_SIGNING_CALLBACK: {name!r} cannot be called")
    return found
