"""Database servers as processes of their own: Debian's packages, unpacked below `$SPRINGFORM_DATABASES`.

`cargo xtask test` unpacks them and sets the variable. A server listens on 127.0.0.1 and ends with its test.
"""

import glob
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from simulator import end_with_parent

PASSWORD = "only-of-the-database"


def unpacked(*parts):
    """A file of the packages."""
    folder = os.environ.get("SPRINGFORM_DATABASES")
    assert folder, "SPRINGFORM_DATABASES is not set: `cargo xtask test` unpacks the servers and sets it"
    (path,) = glob.glob(str(pathlib.Path(folder).joinpath(*parts)))
    return path


class Server:
    """A server with an empty database `cinder` and a user of the same name. A context manager."""

    END = signal.SIGTERM

    def __init__(self, folder, address):
        self.folder, self.port = folder, int(address.rpartition(":")[2])
        folder.mkdir()
        self._log = (folder / "log").open("w")
        self._process = None

    def run(self, *command, out=None):
        subprocess.run(list(map(str, self.as_user(command))), check=True, env=self.environment(),
                       stdin=subprocess.DEVNULL, stdout=out or self._log, stderr=self._log, timeout=120)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def start(self):
        self.prepare()
        self._process = subprocess.Popen(
            list(map(str, self.as_user(self.server()))), env=self.environment(), stdin=subprocess.DEVNULL,
            stdout=self._log, stderr=self._log, preexec_fn=end_with_parent)
        deadline = time.monotonic() + 60
        while True:
            try:
                self.furnish()
                return self
            except subprocess.CalledProcessError:
                ended = self._process.poll() is not None
                assert not ended and time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.1)

    def __exit__(self, *_):
        # To PostgreSQL: without waiting for who is connected.
        if self._process:
            self._process.send_signal(self.END)
            self._process.wait(60)
        self._log.close()

    def as_user(self, command):
        return command

    def environment(self):
        libraries = unpacked("usr/lib/x86_64-linux-gnu")
        return {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": libraries, "TZ": "UTC", "LC_ALL": "C.UTF-8"}


class MariaDb(Server):
    """MariaDB, which most clouds have."""

    def url(self):
        return "mysql+pymysql://cinder:%s@127.0.0.1:%d/cinder?charset=utf8" % (PASSWORD, self.port)

    def prepare(self):
        self.run(unpacked("usr/bin/mariadb-install-db"), "--no-defaults", "--basedir=" + unpacked("usr"),
                 "--datadir=%s" % (self.folder / "data"), "--auth-root-authentication-method=normal",
                 "--skip-test-db", "--skip-name-resolve", *self._user())

    @staticmethod
    def _user():
        return ["--user=root"] if os.geteuid() == 0 else []

    def server(self):
        return [unpacked("usr/sbin/mariadbd"), "--no-defaults", *self._user(),
                "--datadir=%s" % (self.folder / "data"), "--lc-messages-dir=" + unpacked("usr/share/mysql"),
                "--plugin-dir=" + unpacked("usr/lib/mysql/plugin"), "--socket=%s" % (self.folder / "s"),
                "--pid-file=%s" % (self.folder / "pid"), "--bind-address=127.0.0.1", "--port=%d" % self.port]

    def furnish(self):
        self.run(unpacked("usr/bin/mariadb"), "--no-defaults", "--socket=%s" % (self.folder / "s"), "--user=root", "-e",
                 "CREATE DATABASE IF NOT EXISTS cinder CHARACTER SET utf8mb3;"
                 "CREATE USER IF NOT EXISTS cinder@127.0.0.1 IDENTIFIED BY '%s';"
                 "GRANT ALL ON cinder.* TO cinder@127.0.0.1" % PASSWORD)

    def dump(self, path):
        with path.open("w") as out:
            self.run(unpacked("usr/bin/mariadb-dump"), "--no-defaults", "--socket=%s" % (self.folder / "s"), "--user=root",
                     "--single-transaction", "cinder", out=out)


class PostgreSql(Server):
    """PostgreSQL. It does not run as root, so a test of root's runs it as nobody."""

    NOBODY, END = 65534, signal.SIGINT
    files = None

    def url(self):
        return "postgresql+psycopg2://cinder:%s@127.0.0.1:%d/cinder" % (PASSWORD, self.port)

    def as_user(self, command):
        if os.geteuid() == 0:
            # Programs and folders of tests are in folders that are root's alone.
            caps = "--%s-caps=+dac_override"
            return ["setpriv", "--reuid=%d" % self.NOBODY, "--clear-groups", "--pdeathsig=INT", caps % "inh", caps % "ambient", *command]
        return command

    def program(self, name):
        return self.unpacked("lib/postgresql/*/bin", name)

    def unpacked(self, *parts):
        (path,) = glob.glob(str(self.files.joinpath(*parts)))
        return path

    def prepare(self):
        # initdb asks whether nobody may run it, and below root's folder nobody may.
        self.files = pathlib.Path(tempfile.mkdtemp(prefix="postgresql-"))
        self.files.chmod(0o755)
        for part in ("lib/postgresql", "share/postgresql"):
            shutil.copytree(unpacked("usr", part), self.files / part, symlinks=True)
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (self.folder, secret):
                os.chown(path, self.NOBODY, -1)
        self.run(self.program("initdb"), "-D", self.folder / "data", "-L", self.unpacked("share/postgresql/*"),
                 "--username=cinder", "--pwfile", secret, "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8")

    def __exit__(self, *why):
        super().__exit__(*why)
        if self.files:
            shutil.rmtree(self.files, ignore_errors=True)

    def server(self):
        return [self.program("postgres"), "-D", self.folder / "data", "-p", self.port, "-c", "listen_addresses=127.0.0.1",
                "-c", "unix_socket_directories=", "-c", "jit=off"]

    def environment(self):
        return {**super().environment(), "PGPASSWORD": PASSWORD, "PGHOST": "127.0.0.1", "PGPORT": str(self.port),
                "PGUSER": "cinder"}

    def furnish(self):
        try:
            self.run(self.program("psql"), "-d", "cinder", "-c", "SELECT 1")
        except subprocess.CalledProcessError:
            self.run(self.program("psql"), "-d", "postgres", "-c", "CREATE DATABASE cinder")

    def dump(self, path):
        with path.open("w") as out:
            self.run(self.program("pg_dump"), "cinder", out=out)
