"""Nova's own module for volumes, `nova.volume.cinder`, unmodified, in a process of its own: it has an environment of its own.

Takes the address of the host, that of Keystone, and a directory. Then one line of JSON a call, {"call", "words", "token", "user",
"project"}; answers one line each, {"answer"} or {"raised", "said"}. A call without a token is nova-manage's: it logs in itself.
"""

import json
import sys

import nova.conf
from nova import config, context
from nova.volume import cinder


def account(keystone, user, password, project):
    return f"""
auth_type = password
auth_url = {keystone}/v3
username = {user}
password = {password}
project_name = {project}
user_domain_id = default
project_domain_id = default
"""


def configure(host, keystone, folder):
    """[cinder] is the account of nova-manage, an administrator; [service_user] vouches for every call."""
    path = f"{folder}/nova.conf"
    with open(path, "w") as file:
        file.write(f"""
[DEFAULT]
log_file = {folder}/nova.log
[cinder]
endpoint_template = {host}/v3/%(project_id)s
{account(keystone, "the-admin", "admin-password", "red")}
[service_user]
send_service_user_token = true
{account(keystone, "nova", "nova-password", "service")}
""")
    config.parse_args(["nova", "--config-file", path])


def plain(answer):
    """What Nova makes of an answer, as JSON has it."""
    return json.loads(json.dumps(answer, default=str))


def main():
    host, keystone, folder = sys.argv[1:4]
    configure(host, keystone, folder)
    nova.conf.CONF.set_override("http_retries", 0, "cinder")
    api = cinder.API()
    print(json.dumps({"answer": "ready"}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        who = context.RequestContext(
            user_id=asked["user"], project_id=asked["project"], auth_token=asked["token"], is_admin=asked["token"] is None)
        try:
            answer = {"answer": plain(getattr(api, asked["call"])(who, *asked["words"]))}
        except Exception as raised:
            answer = {"raised": type(raised).__name__, "said": str(raised)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
