"""Hooks of Schemathesis: who its requests come from."""

import itertools
import os

import requests
import schemathesis

_numbers = itertools.count(1)


# Every case is sent for an organization of its own. A case may delete the organization
# or rotate its credentials, and with either its token ends; with a token shared by
# several cases most of them would see nothing but 401.
@schemathesis.auth(refresh_interval=None)
class OwnOrganization:
    def get(self, case, context):
        number = f"{os.getpid()}.{next(_numbers)}"
        admin = {"email": f"admin{number}@tenants.example", "password": "correct horse battery"}
        with requests.Session() as session:
            self._post(session, case, "/org/create", {"organization_name": f"Tenant {number}", **admin})
            return self._post(session, case, "/admin/login", admin)["access_token"]

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"

    @staticmethod
    def _post(session, case, path, body):
        answer = session.post(os.environ["ORGD_URL"] + path, json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()
