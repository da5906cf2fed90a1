"""Knows how to make the certificates and passwords of a server that lives for one run.

https://docs.openssl.org/3.0/man1/openssl-req/, https://httpd.apache.org/docs/2.4/programs/htpasswd.html

    <directory>/certs/ca.crt             the authority alone in its directory, as --cert-dir and certs.d want it
    <directory>/server.{crt,key}         the server's certificate, for localhost and 127.0.0.1
    <directory>/htpasswd                 what the servers check passwords against
    <directory>/docker/config.json       the credentials as Docker's clients read them
    <directory>/netrc                    the same for curl and its kin
"""

import base64
import json
import subprocess
from pathlib import Path

from tests.integration.real.debian_packages import run

_EXTENSIONS = """\
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost,IP:127.0.0.1
authorityKeyIdentifier = keyid
"""
_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
_AUTHORITY = f"openssl req -x509 -days 30 -subj /CN=upstream-of-the-tests -addext keyUsage=critical,keyCertSign {_KEY}"
_REQUEST = f"openssl req -new -subj /CN=localhost {_KEY}"
_SIGN = "openssl x509 -req -days 30 -CAcreateserial"


def write_certificates(directory: Path) -> None:
    """Make an authority and a certificate of it for localhost and 127.0.0.1."""
    (directory / "certs").mkdir()
    extensions, request, serial = (directory / name for name in ("extensions", "server.csr", "serial"))
    authority, authority_key = directory / "certs/ca.crt", directory / "ca.key"
    extensions.write_text(_EXTENSIONS)
    run([*_AUTHORITY.split(), "-keyout", authority_key, "-out", authority])
    run([*_REQUEST.split(), "-keyout", directory / "server.key", "-out", request])
    signed = ["-in", request, "-CA", authority, "-CAkey", authority_key, "-CAserial", serial, "-extfile", extensions]
    run([*_SIGN.split(), *map(str, signed), "-out", directory / "server.crt"])


def write_htpasswd(path: Path, user: str, password: str) -> None:
    """Write a password file with bcrypt, the one form that both servers read, at the lowest cost per check."""
    argv = ["htpasswd", "-i", "-n", "-B", "-C", "4", user]
    done = subprocess.run(argv, input=f"{password}\n", capture_output=True, text=True, check=True)
    path.write_text(done.stdout)


def write_credentials(directory: Path, user: str, password: str, ports: tuple[int, ...]) -> None:
    """Write Docker's config.json and a netrc file, which knows no ports."""
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    hosts = [f"{host}:{port}" for host in ("localhost", "127.0.0.1") for port in ports]
    config = directory / "docker/config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"auths": {host: {"auth": auth} for host in hosts}}))
    lines = [f"machine {host} login {user} password {password}\n" for host in ("localhost", "127.0.0.1")]
    (directory / "netrc").write_text("".join(lines))
    for secret in (config, directory / "netrc"):
        secret.chmod(0o600)
