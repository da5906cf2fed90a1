"""Knows how to run the servers of the upstream: stock nginx over the files and stock docker-registry over the images.

Both listen on loopback, speak TLS of an authority that is made for the run and demand a password that is made for the
run. https://nginx.org/en/docs/ngx_core_module.html, https://distribution.github.io/distribution/about/configuration/

    <directory>/{certs,docker,netrc,...}       see server_credentials
    <directory>/nginx.{conf,access.log,...}    all paths that nginx was compiled with are replaced
    <directory>/registry.{yml,log}
"""

import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.integration.real.loopback_process import running
from tests.integration.real.server_credentials import write_certificates, write_credentials, write_htpasswd

_NGINX_CONF = """\
{user}
daemon off;
worker_processes 2;
pid "{directory}/nginx.pid";
error_log "{directory}/nginx.error.log" warn;
events {{ worker_connections 512; }}
http {{
  client_body_temp_path "{directory}/nginx-tmp/body";
  proxy_temp_path "{directory}/nginx-tmp/proxy";
  fastcgi_temp_path "{directory}/nginx-tmp/fastcgi";
  uwsgi_temp_path "{directory}/nginx-tmp/uwsgi";
  scgi_temp_path "{directory}/nginx-tmp/scgi";
  log_format lines escape=json
    '{{"method":"$request_method","path":"$request_uri","status":$status,"sent":$body_bytes_sent,"range":"$http_range"}}';
  access_log "{directory}/nginx.access.log" lines;
  default_type application/octet-stream;
  sendfile on;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate "{directory}/server.crt";
    ssl_certificate_key "{directory}/server.key";
    auth_basic "upstream";
    auth_basic_user_file "{directory}/htpasswd";
    root "{root}";
  }}
}}
"""

# A registry line: 127.0.0.1 - - [time] "GET /v2/ HTTP/2.0" 200 2 "" "agent"
_COMBINED = re.compile(r'^\S+ \S+ \S+ \[[^]]*] "(?P<method>[A-Z]+) (?P<path>\S+) [^"]*" (?P<status>\d+) (?P<sent>\d+)')


@dataclass(frozen=True, slots=True)
class Request:
    """An answered request: `server` is files or registry, `sent` counts the body, `range` is known of files only."""

    server: str
    method: str
    path: str
    status: int
    sent: int
    range: str = ""


@dataclass(frozen=True, slots=True)
class Upstream:
    """Both servers while they run."""

    files_url: str
    registry: str
    user: str
    password: str
    directory: Path

    @property
    def ca(self) -> Path:
        """The certificate of the authority, PEM."""
        return self.directory / "certs/ca.crt"

    @property
    def docker_config(self) -> Path:
        """The config.json with the credentials; its directory does for $DOCKER_CONFIG."""
        return self.directory / "docker/config.json"

    @property
    def netrc(self) -> Path:
        """The same credentials as a netrc file."""
        return self.directory / "netrc"

    def requests(self) -> tuple[Request, ...]:
        """Return what was asked so far: files first, then registry, each in order of completion.

        A server writes its line after the answer, so the very last request may be missing for an instant.
        """
        return (
            *_file_requests(self.directory / "nginx.access.log"),
            *_registry_requests(self.directory / "registry.log"),
        )


@contextmanager
def serve_directories(files: Path, registry: Path) -> Iterator[Upstream]:
    """Serve a tree of files and a registry's storage directory, both read-only, until the context ends."""
    with TemporaryDirectory(prefix="real-upstream-") as name, ExitStack() as stack:
        directory = Path(name)
        user, password = "puller", secrets.token_hex(12)
        write_certificates(directory)
        write_htpasswd(directory / "htpasswd", user, password)
        nginx_port = stack.enter_context(running("nginx", directory, _nginx(directory, files)))
        registry_port = stack.enter_context(running("registry", directory, _registry(directory, registry)))
        write_credentials(directory, user, password, (nginx_port, registry_port))
        yield Upstream(f"https://localhost:{nginx_port}", f"localhost:{registry_port}", user, password, directory)


@contextmanager
def plain_registry(storage: Path, directory: Path) -> Iterator[str]:
    """Run a registry without TLS or password over a storage directory, to be filled; yield its host:port."""
    directory.mkdir(parents=True, exist_ok=True)

    def argv(port: int) -> list[str]:
        return _registry_argv(directory, storage, port, {}, {})

    with running("registry", directory, argv) as port:
        yield f"localhost:{port}"


def _nginx(directory: Path, files: Path) -> Callable[[int], list[str]]:
    """Return what writes nginx's configuration for a port and gives the command."""

    def argv(port: int) -> list[str]:
        (directory / "nginx-tmp").mkdir(exist_ok=True)
        # The workers of a root's nginx would otherwise be a user that cannot read the cache below root's home.
        user = "user root root;" if os.geteuid() == 0 else ""
        text = _NGINX_CONF.format(user=user, directory=directory, port=port, root=files)
        (directory / "nginx.conf").write_text(text)
        return ["nginx", "-p", f"{directory}/", "-e", f"{directory}/nginx.error.log", "-c", f"{directory}/nginx.conf"]

    return argv


def _registry(directory: Path, storage: Path) -> Callable[[int], list[str]]:
    """Return what writes the configuration of the guarded read-only registry for a port and gives the command."""
    tls = {"certificate": f"{directory}/server.crt", "key": f"{directory}/server.key"}
    guard = {"auth": {"htpasswd": {"realm": "upstream", "path": f"{directory}/htpasswd"}}}

    def argv(port: int) -> list[str]:
        return _registry_argv(directory, storage, port, {"tls": tls}, guard)

    return argv


def _registry_argv(
    directory: Path, storage: Path, port: int, http: Mapping[str, object], guard: Mapping[str, object]
) -> list[str]:
    """Write a registry's configuration (JSON is YAML) and return its command; a guarded one is read-only."""
    maintenance = {"uploadpurging": {"enabled": False}, "readonly": {"enabled": bool(guard)}}
    configuration = {
        "version": "0.1",
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(storage)}, "maintenance": maintenance},
        "http": {"addr": f"127.0.0.1:{port}", "secret": secrets.token_hex(16), **http},
        **guard,
    }
    path = directory / "registry.yml"
    path.write_text(json.dumps(configuration))
    return ["docker-registry", "serve", str(path)]


def _file_requests(log: Path) -> Iterator[Request]:
    """Yield the requests of nginx's log."""
    for line in log.read_text().splitlines():
        yield Request(server="files", **json.loads(line))


def _registry_requests(log: Path) -> Iterator[Request]:
    """Yield the requests of the registry's log, in which messages stand between them."""
    for line in log.read_text().splitlines():
        match = _COMBINED.match(line)
        if match:
            status, sent = int(match["status"]), int(match["sent"])
            yield Request("registry", match["method"], match["path"], status, sent)
