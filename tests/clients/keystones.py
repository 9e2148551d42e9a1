"""A real Keystone as a process, with two projects and a user of every role, and a host that asks it."""

import json
import pathlib
import subprocess
import sys

from keystoneauth1 import loading, session
from programs import QuickHost
from shells import Clients

# name: (project, role)
USERS = {
    "admin": ("red", "admin"), "member": ("red", "member"), "reader": ("red", "reader"), "stranger": ("blue", "member"),
    "nova": ("service", "service"), "springform": ("service", "service"),
}

CONFIGURATION = """
[auth]
mode = "keystone"
keystone_url = "{url}/v3"
keystone_user = "springform"
keystone_password_file = "password"
keystone_cache_seconds = {fresh}
"""


class Keystone:
    """Keystone, as a context."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process, self.url, self.projects, self.sessions = None, None, {}, {}

    def __enter__(self):
        server = pathlib.Path(__file__).parent / "keystone_server.py"
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", server, self.folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=(self.folder / "keystone.err").open("w"), text=True)
        first = self.process.stdout.readline()
        assert first, (self.folder / "keystone.err").read_text()[-3000:]
        self.url = json.loads(first)["url"]
        try:
            self._fill()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait(timeout=60)
        self.process.stdout.close()

    def _fill(self):
        """Two projects, and a user of every kind."""
        self.first = self.session("admin", "admin", "admin-password")
        roles = {role["name"]: role["id"] for role in self.api("GET", "/roles")["roles"]}
        for name in ("red", "blue", "service"):
            made = self.api("POST", "/projects", {"project": {"name": name, "domain_id": "default"}})
            self.projects[name] = made["project"]["id"]
        for name, (project, role) in USERS.items():
            body = {"user": {"name": f"the-{name}" if name == "admin" else name, "domain_id": "default",
                             "password": f"{name}-password"}}
            user = self.api("POST", "/users", body)["user"]["id"]
            self.api("PUT", f"/projects/{self.projects[project]}/users/{user}/roles/{roles[role]}")

    def session(self, user, project, password):
        plugin = loading.get_plugin_loader("password").load_from_options(
            auth_url=f"{self.url}/v3", username=user, password=password, project_name=project,
            user_domain_id="default", project_domain_id="default")
        return session.Session(auth=plugin)

    def api(self, method, path, body=None):
        answer = self.first.request(f"{self.url}/v3{path}", method, json=body, authenticated=True)
        return answer.json() if answer.content else None

    def serve(self, url):
        """Puts a host into the catalogue, which comes with each token: those that were issued before know another one."""
        self.sessions.clear()
        for known in self.api("GET", "/services")["services"]:
            if known["type"] != "identity":
                self.api("DELETE", f"/services/{known['id']}")
        service = self.api("POST", "/services", {"service": {"type": "block-storage", "name": "springform"}})
        old = self.api("POST", "/services", {"service": {"type": "volumev3", "name": "springform3"}})
        for one in (service, old):
            self.api("POST", "/endpoints", {"endpoint": {
                "service_id": one["service"]["id"], "interface": "public", "region_id": "RegionOne",
                "url": f"{url}/v3/$(project_id)s"}})

    def words(self, name):
        """What a user types."""
        project, _ = USERS[name]
        return ["--os-auth-url", f"{self.url}/v3", "--os-username", f"the-{name}" if name == "admin" else name,
                "--os-password", f"{name}-password", "--os-project-name", project, "--os-user-domain-name", "Default",
                "--os-project-domain-name", "Default"]

    def session_of(self, name, new=False):
        if name not in self.sessions or new:
            self.sessions[name] = self._session_of(name)
        return self.sessions[name]

    def _session_of(self, name):
        return self.session(f"the-{name}" if name == "admin" else name, USERS[name][0], f"{name}-password")

    def token(self, name, new=False):
        """A token of a user; a new one where it is to be harmed."""
        return self.session_of(name, new).get_token()

    def expiration(self, seconds):
        """How long tokens live that are issued from now on."""
        self.process.stdin.write(f"expiration {seconds}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def revoke(self, token):
        self.first.delete(f"{self.url}/v3/auth/tokens", headers={"X-Subject-Token": token})

    def host(self, folder, fresh=60, more="", kind=QuickHost):
        """A host that asks this Keystone; to be used as a context. `more` is added to its configuration."""
        folder = pathlib.Path(folder)
        (folder / "password").write_text("springform-password\n")
        (folder / "password").chmod(0o600)
        return kind(folder, CONFIGURATION.format(url=self.url, fresh=fresh) + more, backends=("quick", "slow"))

    def users(self, host):
        return {name: Clients(host.url, project=self.projects[USERS[name][0]], words=self.words(name),
                              session=self.session_of(name))
                for name in ("admin", "member", "reader", "stranger")}
