"""The organization service as the mission describes the original, in FastAPI and pymongo.

It is the yardstick of `bench peer`: written as one would for production at this size, with unique
indexes, one find for a look-up, and nothing that waits for no reason. What orgd has beyond it (moves
that survive a crash and lose no write, revoked tokens, operations to look at) it does not have.

A master database has `organizations` and `admins`; a tenant database has the collection org_<name>
of each organization.
"""

import os
import re
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Annotated

import bcrypt
import jwt
from bson import ObjectId
from fastapi import Depends, FastAPI, HTTPException, status
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, EmailStr, Field
from pymongo import MongoClient
from pymongo.errors import DuplicateKeyError, OperationFailure

JWT_SECRET = os.environ["JWT_SECRET"]
JWT_ALGORITHM = os.environ.get("JWT_ALGORITHM", "HS256")
JWT_EXPIRY = timedelta(minutes=int(os.environ.get("JWT_EXP_MINUTES", "60")))
BCRYPT_COST = int(os.environ.get("BCRYPT_COST", "12"))
COPY_BATCH = 1000
NAMESPACE_EXISTS = 48

client = MongoClient(os.environ.get("MONGO_URI", "mongodb://localhost:27017"), tz_aware=True)
master = client[os.environ.get("MASTER_DB_NAME", "master")]
tenants = client[os.environ.get("TENANT_DB_NAME", "tenants")]
organizations, admins = master["organizations"], master["admins"]


@asynccontextmanager
async def lifespan(_: FastAPI):
    organizations.create_index("key", unique=True)
    admins.create_index("email", unique=True)
    admins.create_index("org_id")
    yield
    client.close()


app = FastAPI(title="Organizations", lifespan=lifespan)


class Organization(BaseModel):
    id: str
    organization_name: str
    collection_name: str
    admin_id: str
    created_at: datetime


class Credentials(BaseModel):
    email: EmailStr
    password: str = Field(min_length=8, max_length=72)


class OrganizationIn(Credentials):
    organization_name: str = Field(min_length=1, max_length=100)


class Token(BaseModel):
    access_token: str
    token_type: str = "bearer"


def key_of(name: str) -> str:
    key = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")
    if not key:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "The name needs a letter or a digit.")
    return key


def shown(organization: dict) -> Organization:
    return Organization(
        id=str(organization["_id"]),
        organization_name=organization["organization_name"],
        collection_name=organization["collection_name"],
        admin_id=str(organization["admin_id"]),
        created_at=organization["created_at"],
    )


def hashed(password: str) -> bytes:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(BCRYPT_COST))


def taken(what: str) -> HTTPException:
    return HTTPException(status.HTTP_409_CONFLICT, f"Another organization has this {what}.")


def make_collection(name: str) -> None:
    # check_exists would list the collections first; the server refuses one that exists as well.
    try:
        tenants.create_collection(name, check_exists=False)
    except OperationFailure as error:
        if error.code != NAMESPACE_EXISTS:
            raise
        raise taken("name") from None


@app.post("/org/create", status_code=status.HTTP_201_CREATED)
def create(wanted: OrganizationIn) -> Organization:
    key = key_of(wanted.organization_name)
    if organizations.find_one({"key": key}, {"_id": 1}):
        raise taken("name")
    if admins.find_one({"email": wanted.email}, {"_id": 1}):
        raise taken("e-mail address")
    admin_id, org_id, now = ObjectId(), ObjectId(), datetime.now(timezone.utc)
    organization = {
        "_id": org_id,
        "key": key,
        "organization_name": wanted.organization_name,
        "collection_name": f"org_{key}",
        "admin_id": admin_id,
        "created_at": now,
    }
    admin = {"_id": admin_id, "org_id": org_id, "email": wanted.email, "password": hashed(wanted.password), "created_at": now}
    try:
        admins.insert_one(admin)
    except DuplicateKeyError:
        raise taken("e-mail address") from None
    try:
        organizations.insert_one(organization)
    except DuplicateKeyError:
        admins.delete_one({"_id": admin_id})
        raise taken("name") from None
    try:
        make_collection(organization["collection_name"])
    except Exception:
        organizations.delete_one({"_id": org_id})
        admins.delete_one({"_id": admin_id})
        raise
    return shown(organization)


@app.get("/org/get")
def get(organization_name: str) -> Organization:
    organization = organizations.find_one({"key": key_of(organization_name)})
    if organization is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such organization.")
    return shown(organization)


@app.post("/admin/login")
def login(credentials: Credentials) -> Token:
    admin = admins.find_one({"email": credentials.email})
    if admin is None or not bcrypt.checkpw(credentials.password.encode(), admin["password"]):
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "The e-mail address or the password is wrong.")
    claims = {
        "admin_id": str(admin["_id"]),
        "org_id": str(admin["org_id"]),
        "exp": datetime.now(timezone.utc) + JWT_EXPIRY,
    }
    return Token(access_token=jwt.encode(claims, JWT_SECRET, algorithm=JWT_ALGORITHM))


def authenticated(bearer: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> dict:
    """The admin's document, for as long as there is one."""
    try:
        claims = jwt.decode(bearer.credentials, JWT_SECRET, algorithms=[JWT_ALGORITHM])
        admin = admins.find_one({"_id": ObjectId(claims["admin_id"])})
    except (jwt.InvalidTokenError, KeyError):
        admin = None
    if admin is None:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "The token is not valid.")
    return admin


Admin = Annotated[dict, Depends(authenticated)]


def organization_of(admin: dict) -> dict:
    organization = organizations.find_one({"_id": admin["org_id"]})
    if organization is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such organization.")
    return organization


def copy(source: str, target: str) -> None:
    batch = []
    for document in tenants[source].find(batch_size=COPY_BATCH):
        batch.append(document)
        if len(batch) == COPY_BATCH:
            tenants[target].insert_many(batch)
            batch = []
    if batch:
        tenants[target].insert_many(batch)


def rename(organization: dict, name: str) -> dict:
    """Moves the data to a fresh collection of the new name, if that is another collection."""
    key, source = key_of(name), organization["collection_name"]
    target = f"org_{key}"
    change = {"organization_name": name, "key": key, "collection_name": target}
    if target == source:
        if name != organization["organization_name"]:
            organizations.update_one({"_id": organization["_id"]}, {"$set": change})
        return organization | change
    if organizations.find_one({"key": key}, {"_id": 1}):
        raise taken("name")
    make_collection(target)
    try:
        copy(source, target)
        organizations.update_one({"_id": organization["_id"]}, {"$set": change})
    except Exception as error:
        tenants.drop_collection(target)
        if isinstance(error, DuplicateKeyError):
            raise taken("name") from None
        raise
    tenants.drop_collection(source)
    return organization | change


@app.put("/org/update")
def update(wanted: OrganizationIn, admin: Admin) -> Organization:
    if wanted.email != admin["email"] and admins.find_one({"email": wanted.email}, {"_id": 1}):
        raise taken("e-mail address")
    organization = rename(organization_of(admin), wanted.organization_name)
    change = {"email": wanted.email, "password": hashed(wanted.password)}
    try:
        admins.update_one({"_id": admin["_id"]}, {"$set": change})
    except DuplicateKeyError:
        raise taken("e-mail address") from None
    return shown(organization)


@app.delete("/org/delete")
def delete(admin: Admin) -> Organization:
    organization = organization_of(admin)
    tenants.drop_collection(organization["collection_name"])
    organizations.delete_one({"_id": organization["_id"]})
    admins.delete_many({"org_id": organization["_id"]})
    return shown(organization)
