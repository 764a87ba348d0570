"""Hooks of Schemathesis: who its requests come from, and what there is to ask for."""

import collections
import itertools
import os
import threading
import urllib.parse

import requests
import schemathesis
from schemathesis.generation.meta import TestPhase

_numbers = itertools.count(1)
# By operation, so that what one worker has drawn is nothing to another.
_cases = collections.defaultdict(itertools.count)
_scenario = threading.local()


@schemathesis.serializer("application/x-ndjson")
def ndjson(ctx, value):
    """What is drawn for a stream is its bytes already."""
    return value if isinstance(value, bytes) else str(value).encode()


class Organization:
    """One that nobody else uses, with a document, an index, and an operation behind it."""

    def __init__(self):
        number = f"{os.getpid()}.{next(_numbers)}"
        admin = {"email": f"admin{number}@tenants.example", "password": "correct horse battery"}
        created = self._post("/org/create", {"organization_name": f"Tenant {number}", **admin})
        self.id = created["id"]
        self.token = self._post("/admin/login", admin)["access_token"]

    def path_parameters(self, path):
        """What is there to be found at a path, so that more than 404 is tested."""
        if path.startswith("/operator/"):
            return {"id": self.id}
        if path.startswith("/org/documents/"):
            self._post("/org/documents", {"_id": "ada", "name": "Ada Lovelace"})
            return {"id": "ada"}
        if path.startswith("/org/indexes/"):
            self._post("/org/indexes", {"name": "by_name", "keys": [{"path": "name"}]})
            return {"name": "by_name"}
        if path.startswith("/org/operations/"):
            answer = requests.get(os.environ["ORGD_URL"] + "/org/operations", headers=self._headers(), timeout=10)
            answer.raise_for_status()
            return {"id": answer.json()["items"][0]["id"]}
        return {}

    def lives(self):
        """Whether it is still there, and its token good."""
        return requests.get(os.environ["ORGD_URL"] + "/org/stats", headers=self._headers(), timeout=10).ok

    def _headers(self):
        token = getattr(self, "token", "")
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _post(self, path, body):
        answer = requests.post(os.environ["ORGD_URL"] + path, json=body, headers=self._headers(), timeout=10)
        answer.raise_for_status()
        return answer.json()


def stateful(case):
    return case.meta is not None and case.meta.phase.name == TestPhase.STATEFUL


# Every case is sent for an organization of its own. A case may delete the organization
# or rotate its credentials, and with either its token ends; with a token shared by
# several cases most of them would see nothing but 401.
#
# The steps of a scenario build on each other: they share an organization until one of them
# ends it, and find what earlier steps have created, nothing else.
@schemathesis.auth(refresh_interval=None)
class OwnOrganization:
    def get(self, case, context):
        if not stateful(case):
            return Organization()
        if not hasattr(_scenario, "organization") or not _scenario.organization.lives():
            _scenario.organization = Organization()
        return _scenario.organization

    def set(self, case, data, context):
        path = case.operation.path
        token = os.environ["OPERATOR_KEY"] if path.startswith("/operator/") else data.token
        case.headers["Authorization"] = f"Bearer {token}"
        # Of what is drawn to fit the contract every other case of an operation finds something.
        positive = case.meta is not None and case.meta.generation.mode.is_positive
        if positive and not stateful(case) and next(_cases[case.method, path]) % 2 == 0:
            case.path_parameters.update(data.path_parameters(path))


# The head of a request may have 64 KiB. A longer one is answered 431 before there is an
# operation to ask; what is drawn for a parameter can take twelve bytes a character.
LONGEST_QUERY = 60_000


@schemathesis.hook
def filter_case(context, case):
    """Leave out what no operation answers, or what another one answers."""
    if len(urllib.parse.urlencode(case.query or {}, doseq=True)) > LONGEST_QUERY:
        return False
    # This is a path of /org/documents/{id} as well, whose methods Allow names, too.
    return not (case.method.upper() == "OPTIONS" and case.operation.path == "/org/documents/query")
