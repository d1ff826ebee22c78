"""Certificates for 127.0.0.1, made in the test."""

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SIGNS = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
"""What an authority's key is for: certificates and lists of revoked ones."""


def server_context(folder):
    """An ssl context for a server of 127.0.0.1, and the path of the PEM file that makes a client trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = Path(folder) / "certificate.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = Path(folder) / "key.pem"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, private)
    return context, str(pem)


def issued(folder, names=("127.0.0.1",), days=(-30, 30), issuer="Corp CA"):
    """An ssl context for a server whose certificate an authority has issued, and the path of that authority's PEM file.

    `names` are DNS names or addresses; `days` from now are those on which it begins and ends to be valid.
    """
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    pem = Path(folder) / "authority.pem"
    own = _certificate(issuer, issuer, authority, authority, (-365, 365), x509.BasicConstraints(True, None), SIGNS)
    pem.write_bytes(own.public_bytes(serialization.Encoding.PEM))
    shown = _certificate(names[0], issuer, key, authority, days, x509.SubjectAlternativeName([*map(_general, names)]))
    chain = Path(folder) / "chain.pem"
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    chain.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, *private) + shown.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context, str(pem)


def _certificate(subject, issuer, key, signer, days, *extensions):
    """With all that a strict reader of RFC 5280, as Python is from 3.13 on, requires."""
    now = datetime.datetime.now(datetime.UTC)
    begin, end = (now + datetime.timedelta(days=day, minutes=1 if day > 0 else -1) for day in days)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_common_name(subject))
        .issuer_name(_common_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, isinstance(extension, (x509.BasicConstraints, x509.KeyUsage)))
    return builder.sign(signer, hashes.SHA256())


def _common_name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
