"""Says of each of the requests in a file whether the library of Standard Webhooks for Python takes it.

    deliveries.py FILE SECRET    a line is {"headers": {...}, "body": base64}; prints 1 or 0 for each
"""

import base64
import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

judge = Webhook(sys.argv[2])


def taken(request):
    try:
        judge.verify(base64.b64decode(request["body"]), request["headers"])
    except WebhookVerificationError:
        return "0"
    return "1"


with open(sys.argv[1], encoding="ascii") as file:
    print("".join(taken(json.loads(line)) for line in file))
