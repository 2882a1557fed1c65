"""Certificates for the tests: an authority, a server, clients; made by openssl into a temporary directory."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pair:
    cert: Path
    key: Path


class Authority:
    """Signs certificates into its directory."""

    def __init__(self, directory: Path, name: str = "Test Authority"):
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.ca = Pair(directory / "ca.pem", directory / "ca.key")
        run(
            *("req", "-x509", *new_key(self.ca.key), "-days", "30", "-subj", f"/CN={name}", "-out", self.ca.cert),
            *("-addext", "basicConstraints=critical,CA:TRUE"),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )

    def issue(self, name: str, *, subject: str | None = None, sans: str = "DNS:localhost,IP:127.0.0.1") -> Pair:
        """A certificate for servers and clients alike."""
        pair = Pair(self.directory / f"{name}.pem", self.directory / f"{name}.key")
        request = self.directory / f"{name}.csr"
        run("req", *new_key(pair.key), "-subj", subject or f"/CN={name}", "-out", request)
        extensions = self.directory / f"{name}.ext"
        lines = ["basicConstraints=CA:FALSE", "extendedKeyUsage=serverAuth,clientAuth"]
        extensions.write_text("\n".join([*lines, f"subjectAltName={sans}"] if sans else lines) + "\n")
        run(
            *("x509", "-req", "-in", request, "-CA", self.ca.cert, "-CAkey", self.ca.key, "-CAcreateserial"),
            *("-days", "30", "-extfile", extensions, "-out", pair.cert),
        )
        return pair

    def context(self, client: Pair | None = None) -> ssl.SSLContext:
        """What a client needs to trust servers of this authority."""
        context = ssl.create_default_context(cafile=str(self.ca.cert))
        if client is not None:
            context.load_cert_chain(client.cert, client.key)
        return context


def new_key(path: Path) -> tuple[str | Path, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path)


def run(*args: str | Path) -> None:
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


def spki_sha256(pair: Pair) -> str:
    """The SHA-256 of a certificate's SubjectPublicKeyInfo, in hex: what `pinned_certs` lists."""
    public = subprocess.run(
        ["openssl", "x509", "-in", str(pair.cert), "-pubkey", "-noout"], check=True, capture_output=True
    ).stdout
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-outform", "DER"], check=True, capture_output=True, input=public
    ).stdout
    return hashlib.sha256(der).hexdigest()
