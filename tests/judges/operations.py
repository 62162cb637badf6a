"""Prints names of operations: `streams` can answer with server-sent events; `streams-and-what-leads-there` are
those and the operations whose answers link to them, over any number of steps."""

import json
import sys

which, name = sys.argv[1:]
with open(name) as file:
    document = json.load(file)
operations = [operation for item in document["paths"].values() for operation in item.values()]


def answers(operation):
    return operation["responses"].values()


found = {
    operation["operationId"]
    for operation in operations
    if any("text/event-stream" in answer.get("content", {}) for answer in answers(operation))
}
if which != "streams":
    before = None
    while before != found:
        before = set(found)
        for operation in operations:
            links = [link for answer in answers(operation) for link in answer.get("links", {}).values()]
            if any(link["operationId"] in found for link in links):
                found.add(operation["operationId"])
print("\n".join(sorted(found)))
