"""The certificates of the TLS end: a root made for one bench, and what it signs for `localhost`.

Whoever calls AWS reads about 140 roots before its first call, so the root of the bench comes after all of Mozilla's.
"""

import datetime
import ipaddress
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def make(folder: Path) -> None:
    """Writes `root.pem`, `roots.pem` with all others before it, and `end.pem` with its key."""
    root_key, key = _key(), _key()
    root = _signed("Tidegate bench", root_key, "Tidegate bench", root_key, is_root=True)
    end = _signed("localhost", key, "Tidegate bench", root_key, is_root=False)
    (folder / "root.pem").write_bytes(_pem(root))
    (folder / "roots.pem").write_bytes(Path(certifi.where()).read_bytes() + b"\n" + _pem(root))
    unencrypted = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, unencrypted)
    (folder / "end.pem").write_bytes(private + _pem(end))


def _key() -> rsa.RSAPrivateKey:
    # As the certificates of AWS have it.
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _signed(
    subject: str, key: rsa.RSAPrivateKey, issuer: str, issuer_key: rsa.RSAPrivateKey, is_root: bool
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        .add_extension(_usage(is_root), critical=True)
    )
    if not is_root:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
    return builder.sign(issuer_key, hashes.SHA256())


def _usage(is_root: bool) -> x509.KeyUsage:
    no = dict.fromkeys(
        ("content_commitment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    )
    return x509.KeyUsage(
        digital_signature=not is_root, key_encipherment=not is_root, key_cert_sign=is_root, crl_sign=is_root, **no
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
