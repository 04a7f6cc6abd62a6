"""
nginx: as little as a proxy can do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from attrs import define

from .installing import run
from .proxy import TOKEN, Command, Unavailable

_SYSTEM = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])

# No log, no limits, nothing kept back of a stream.
_CONFIG = """
daemon off;
pid nginx.pid;
error_log stderr error;
worker_processes 1;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    client_max_body_size 64m;
    client_body_buffer_size 64k;
    keepalive_requests 100000000;
    upstream provider {{
        server 127.0.0.1:{provider};
        keepalive 512;
        keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://provider;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""


@define
class Nginx:
    """
    nginx from PATH, else Debian's package unpacked beside what else was
    installed.
    """

    cache: Path
    name: str = "nginx"
    _program: str = ""

    def install(self) -> str:
        """
        See L{Proxy.install}.
        """
        self._program = shutil.which("nginx", path=_SYSTEM) or self._unpacked()
        run = subprocess.run([self._program, "-v"], capture_output=True, text=True)
        if run.returncode:
            raise Unavailable(run.stderr.strip())
        return run.stderr.strip().rpartition("/")[2]

    def headers(self, provider: int) -> Sequence[str]:
        """
        See L{Proxy.headers}.
        """
        return [f"Authorization: Bearer {TOKEN}"]

    def command(self, directory: Path, port: int, provider: int) -> Command:
        """
        See L{Proxy.command}.
        """
        config = directory / "nginx.conf"
        config.write_text(_CONFIG.format(port=port, provider=provider), "utf-8")
        return Command(
            [self._program, "-e", "stderr", "-p", str(directory), "-c", str(config)]
        )

    def _unpacked(self) -> str:
        directory = self.cache / "nginx"
        program = directory / "root/usr/sbin/nginx"
        if program.exists():
            return str(program)
        if not shutil.which("apt-get"):
            raise Unavailable("there is no nginx on PATH, and no apt-get")
        directory.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            run("apt-get", "update", "-qq")
        run("apt-get", "download", "-qq", "nginx", directory=directory)
        for package in directory.glob("nginx_*.deb"):
            run("dpkg-deb", "-x", str(package), str(directory / "root"))
        return str(program)
