"""A whole Keystone in one process: SQLite, Fernet tokens, bootstrapped, behind waitress on a port of 127.0.0.1.

Takes a directory, prints one line of JSON, {"url": ...}, and serves until its input ends. A line `expiration N` on the way
makes the tokens that are issued from then on live N seconds.
"""

import json
import os
import sys
import threading

import waitress
from keystone.cmd import bootstrap
from keystone.common import fernet_utils, provider_api
from keystone.common.sql import upgrades
import keystone.conf
import keystone.server
from keystone.server.flask import application as factory
from keystone.server.flask import core

CONF = keystone.conf.CONF


def configure(folder):
    path = os.path.join(folder, "keystone.conf")
    with open(path, "w") as file:
        file.write(f"""
[DEFAULT]
log_file = {folder}/keystone.log
[database]
connection = sqlite:///{folder}/keystone.sqlite
sqlite_synchronous = false
[fernet_tokens]
key_repository = {folder}/fernet-keys
[fernet_receipts]
key_repository = {folder}/fernet-keys
[credential]
key_repository = {folder}/credential-keys
[identity]
password_hash_rounds = 4
[cache]
enabled = true
backend = oslo_cache.dict
""")
    keystone.server.configure(config_files=[path])


def initialise(url):
    upgrades.offline_sync_database_to_version()
    keys = fernet_utils.FernetUtils(CONF.fernet_tokens.key_repository, CONF.fernet_tokens.max_active_keys, "fernet_tokens")
    keys.create_key_directory()
    keys.initialize_key_repository()
    first = bootstrap.Bootstrapper()
    first.admin_username, first.admin_password = "admin", "admin-password"
    first.project_name, first.admin_role_name = "admin", "admin"
    first.service_name, first.service_id, first.region_id = "keystone", None, "RegionOne"
    first.admin_url = first.public_url = first.internal_url = f"{url}/v3"
    first.bootstrap()
    # The application loads the same backends again, and each may be there once.
    provider_api.ProviderAPIs._clear_registry_instances()


def main():
    # What is on the command line, Keystone takes for its own options.
    folder = sys.argv.pop()
    configure(folder)
    application = []
    # One thread: SQLite refuses a second writer whose transaction began with reading, and Keystone does not try again.
    server = waitress.create_server(lambda *request: application[0](*request), host="127.0.0.1", port=0, threads=1)
    url = f"http://127.0.0.1:{server.effective_port}"
    initialise(url)
    _, app = keystone.server.setup_backends(startup_application_fn=lambda: factory.application_factory("public"))
    application.append(core.setup_app_middleware(app))
    threading.Thread(target=server.run, daemon=True).start()
    print(json.dumps({"url": url}), flush=True)
    for line in sys.stdin:
        word, number = line.split()
        assert word == "expiration"
        CONF.set_override("expiration", int(number), "token")
        print("done", flush=True)


if __name__ == "__main__":
    main()
