"""What schemathesis has to know beyond the description."""

import os
from datetime import datetime, timezone
from uuid import uuid4

import schemathesis
from schemathesis import GenerationMode


# What it may read and must leave as it is. A judge that revokes its own key sees nothing but 401
# from then on, and one that deletes what there is nothing but 404.
KEEP = set(os.environ["JUDGE_KEEP"].split(","))
# A form that is good, at an address where nobody is.
SOURCE = "https://git.invalid/user/repo.git"
# Longest long poll, in seconds.
PATIENCE = 1


@schemathesis.hook
def before_call(context, case, **kwargs):
    named = case.path_parameters or {}
    for name, value in named.items():
        if case.method.upper() in ("DELETE", "PATCH", "PUT") and value in KEEP:
            named[name] = "kept-from-you"
    if case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE:
        make_consistent(case.query or {})
        operation = case.operation.definition.raw["operationId"]
        if operation == "domains_set_certificate":
            # No form says which name a certificate is for.
            named["id"] = "kept-from-you"
        if isinstance(case.body, dict):
            make_true(case.body, operation)


def make_consistent(query):
    """Parameters that exclude each other, and a wait that somebody has to sit out."""
    if query.get("follow") in (True, "true"):
        query.pop("limit", None)
        query.pop("order", None)
    # Only an id that exists can be asked after, and an address has more forms than a pattern.
    query.pop("after", None)
    if query.get("event_id") is not None:
        query["event_id"] = "evt_0123456789abcdef"
    if "ip" in query:
        query["ip"] = "203.0.113.9"
    if "wait" in query:
        query["wait"] = PATIENCE
    # Which steps there can be follows from the time they are asked for.
    if "step" in query or "from" in query or "to" in query:
        for name in ("from", "to", "step"):
            query.pop(name, None)
    # A pattern knows the form of a moment and not how long a month is.
    for name in ("since", "until"):
        if "T" in str(query.get(name, "")) and not is_moment(query[name]):
            query[name] = "2h"


def make_true(body, operation):
    """Makes a valid body true as well: what it refers to exists, and its moments are to come. A schema
    cannot ask for that."""
    for place in (body, body.get("source")):
        # Which addresses may be asked is a matter of the network, not of their form.
        if isinstance(place, dict) and place.get("git_url") is not None:
            place["git_url"] = SOURCE
    source = body if operation == "projects_set_source" else body.get("source")
    if isinstance(source, dict):
        # How an address is read follows from what it is.
        source.pop("auth", None)
        source.pop("token", None)
    if operation == "deployments_create":
        # Only a project that has a source of its own needs none here.
        body["git_url"] = SOURCE
        # Only one source can be named, and an upload must be there.
        body.pop("image", None)
        body.pop("upload_id", None)
    if isinstance(body.get("proxy"), dict):
        make_readable(body["proxy"])
    if operation == "projects_set_forge":
        # What may be left out follows from what is stored.
        body["kind"] = "gitea"
        body["api_url"] = "https://git.invalid/api/v1"
        body.setdefault("token", "t0ken")
    if operation == "hooks_create":
        # It needs a forge that is set.
        body.pop("wait_for_checks", None)
    # A host name in any alphabet has no pattern.
    if body.get("hostname") is not None:
        body["hostname"] = f"{uuid4().hex}.example.org"
    if body.get("redirect_to") is not None:
        body["redirect_to"] = "example.net"
    if isinstance(body.get("runtime"), dict):
        make_countable(body["runtime"])
    if operation.startswith("webhooks_"):
        make_reachable(body)
    if operation == "registries_create":
        body["host"] = "registry.invalid"
    if body.get("expires_at") is not None and not to_come(body["expires_at"]):
        body["expires_at"] = "2100-01-01T00:00:00Z"
    if body.get("project_ids"):
        body["project_ids"] = []
    if operation == "env_set":
        # What is sensitive stays so; whether it is cannot be seen in the request.
        body.pop("sensitive", None)
    if body.get("team_id") is not None:
        body["team_id"] = None


def make_reachable(body):
    """Which addresses may be told, and which projects and events there are, is no matter of form."""
    if body.get("url") is not None:
        body["url"] = "https://hooks.invalid/"
    if body.get("project_id") is not None:
        body["project_id"] = None
    if isinstance(body.get("secret"), str):
        body["secret"] = "whsec_" + "AAAA" * 11
    for name in ("since", "until"):
        if body.get(name) is not None:
            body[name] = "2026-01-20T16:30:00Z"


def make_readable(proxy):
    """Lines have forms of their own, and a password may be left out where one is stored already."""
    for name in ("redirects", "headers"):
        if proxy.get(name):
            proxy[name] = ""
    for name in ("allow", "deny"):
        if proxy.get(name):
            proxy[name] = ["203.0.113.0/24"]
    if isinstance(proxy.get("login"), dict):
        proxy["login"] = {"user": "visitor", "password": "pass-of-the-judge"}


def make_countable(runtime):
    """What may not run twice runs once: both settings are sent, so that what is stored does not matter."""
    release = runtime.get("release")
    if isinstance(release, dict) and release.get("strategy") == "single":
        runtime["instances"] = 1
    elif isinstance(runtime.get("instances"), int) and runtime["instances"] > 1:
        runtime["release"] = {**(release if isinstance(release, dict) else {}), "strategy": "rolling"}


def is_moment(text):
    try:
        datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return False
    return True


def to_come(moment):
    try:
        return datetime.fromisoformat(moment.upper().replace("Z", "+00:00")) > datetime.now(timezone.utc)
    except (ValueError, TypeError):
        return False
