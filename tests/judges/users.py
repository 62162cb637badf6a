"""Writes the accounts schemathesis acts as, from what `orbitra admin create-key --json` printed: the first
is who it is, the other is who must not see the first one's things."""

import json
import sys

users = []
for name in sys.argv[1:]:
    with open(name) as file:
        key = json.load(file)
    header = {"name": "Authorization", "value": f"Bearer {key['key']}"}
    users.append({"name": key["name"], "fixedHeaders": [header]})
json.dump({"auth": users}, sys.stdout)
