"""docs/proxies.md: each proxy accepts its configuration, and passes probes and the feed."""

import contextlib
import http.client
import re
import shutil
import subprocess

from websockets.sync.client import connect

from tests.docs.pages import FILES
from tests.docs.programs import Folder, run
from tests.peers.certificates import server_context
from tests.peers.ports import free_port
from tests.peers.service import Answer, Service, eventually
from tests.requirement import need


def get(port, path):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())


class ProxiesTest(Folder):
    def test_haproxy_accepts_the_configuration(self):
        need(shutil.which("haproxy"), "haproxy (Debian package haproxy)")
        self.assert_accepted(run("haproxy", "-c", "-f", self.write("haproxy.cfg")))

    def test_nginx_accepts_the_configuration(self):
        need(shutil.which("nginx"), "nginx (Debian package nginx-light)")
        self.assert_accepted(run("nginx", "-t", "-c", self.nginx_conf(FILES["nginx.conf"])))

    def test_probes_and_the_feed_pass_through_nginx(self):
        need(shutil.which("nginx"), "nginx (Debian package nginx-light)")
        port = free_port()
        with Service() as service:
            config = FILES["nginx.conf"].replace("listen 8443 ssl", f"listen 127.0.0.1:{port}")
            config = self.nginx_conf(self.one_replica_gone(re.sub(r"(?m)^ *ssl_.*\n", "", config), service))
            self.assert_passes(port, "nginx", "-c", config)

    def test_probes_and_the_feed_pass_through_haproxy(self):
        need(shutil.which("haproxy"), "haproxy (Debian package haproxy)")
        port = free_port()
        with Service() as service:
            config = FILES["haproxy.cfg"].replace("bind :8088", f"bind 127.0.0.1:{port}")
            config = self.write("haproxy.cfg", self.one_replica_gone(config, service))
            self.assert_passes(port, "haproxy", "-q", "-f", config)

    def one_replica_gone(self, config, service):
        """The page's configuration with `service` as its first replica and nothing at its second."""
        self.assertIn("127.0.0.1:8081", config)
        config = config.replace("127.0.0.1:8081", "127.0.0.1:1")
        return config.replace("127.0.0.1:8080", f"127.0.0.1:{service.port}")

    def nginx_conf(self, contents):
        """A main nginx.conf that includes `contents` as from conf.d and keeps all files in the test's folder."""
        server_context(self.folder)
        contents = contents.replace("/etc/nginx/tls/health.example.org.pem", str(self.folder / "certificate.pem"))
        contents = contents.replace("/etc/nginx/tls/health.example.org.key", str(self.folder / "key.pem"))
        (self.folder / "temp").mkdir()
        temp = "".join(
            f"{each}_temp_path {self.folder}/temp/{each};"
            for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        included = self.write("nginx.conf", contents).rename(self.folder / "included.conf")
        return self.write(
            "nginx.conf",
            (
                f"daemon off; worker_processes 1; pid {self.folder}/pid; error_log stderr warn; events {{}}\n"
                f"http {{ access_log off; {temp} include {included}; }}\n"
            ),
        )

    def assert_passes(self, port, *command):
        """/health and the feed work through the proxy that `command` starts in front of an unhealthy service."""
        proxy = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:

            def passes():
                with contextlib.suppress(OSError):
                    return get(port, "/health").status == 503

            eventually(passes, 10)
            for _ in range(4):
                self.assertIn(b'"unhealthy"', get(port, "/health").body)
            with connect(f"ws://127.0.0.1:{port}/ws", origin=f"http://127.0.0.1:{port}", proxy=None) as feed:
                self.assertIn('"type":"health"', feed.recv(timeout=5))
        finally:
            proxy.terminate()
            proxy.communicate(timeout=10)
