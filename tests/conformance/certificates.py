"""Certificates for tests, made by openssl: a root, a server, clients, good and bad."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

EXTENSIONS = """\
subjectAltName=DNS:localhost,IP:127.0.0.1
extendedKeyUsage=serverAuth,clientAuth
"""


class Authority:
    """A root certificate and what it signs."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.directory = directory
        (directory / "extensions").write_text(EXTENSIONS)
        self._request("root", "root.pem", "-x509", "-days", "2")

    def _openssl(self, *arguments: str) -> None:
        command = ["openssl", *arguments]
        subprocess.run(command, cwd=self.directory, check=True, capture_output=True)

    def _request(self, name: str, output: str, *arguments: str) -> None:
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        files = ["-keyout", f"{name}.key", "-out", output]
        self._openssl("req", *curve, *files, "-subj", f"/CN=aidb test {name}", *arguments)

    @property
    def root(self) -> Path:
        """The root's certificate."""
        return self.directory / "root.pem"

    def sign(self, name: str, *, is_expired: bool = False) -> tuple[Path, Path]:
        """A certificate for this machine and its key."""
        self._request(name, f"{name}.csr")
        root = ["-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial"]
        more = ["-days", "-1" if is_expired else "2", "-extfile", "extensions"]
        files = ["-in", f"{name}.csr", "-out", f"{name}.pem"]
        self._openssl("x509", "-req", *files, *root, *more)
        return self.directory / f"{name}.pem", self.directory / f"{name}.key"

    def context(self, client: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        """What a client of this authority trusts and shows."""
        context = ssl.create_default_context(cafile=str(self.root))
        if client:
            context.load_cert_chain(*map(str, client))
        return context
