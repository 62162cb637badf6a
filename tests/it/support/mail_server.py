"""A mail server of aiosmtpd that takes, refuses and delays mail by the recipient's name.

Arguments: how it is secured (none, starttls, tls), a file for what it takes, and with TLS a chain and a key. It prints
its port. Who is asked to sign in is `orbitra` with the password `correct horse`.
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

MODE, TAKEN = sys.argv[1:3]
seen = set()


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        if name == "unknown":
            return "550 5.1.1 No such user here"
        if name == "grey" and address not in seen:
            seen.add(address)
            return "451 4.7.1 Greylisted, come again"
        if name == "hanging":
            await asyncio.sleep(3600)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if "spam" in envelope.rcpt_tos[0]:
            return "554 5.7.1 This looks like spam"
        entry = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "content": envelope.content.decode("ascii"),
            "hello": session.host_name,
            "tls": session.ssl is not None or MODE == "tls",
            "user": session.auth_data.decode() if session.authenticated else None,
        }
        with open(TAKEN, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        return "250 2.0.0 Queued as 4711"


def authenticate(server, session, envelope, mechanism, data):
    right = data.login == b"orbitra" and data.password == b"correct horse"
    return AuthResult(success=right, handled=False, auth_data=data.login)


async def main():
    context = None
    if MODE != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])

    def smtp():
        return SMTP(
            Handler(),
            hostname="mail.test",
            tls_context=context if MODE == "starttls" else None,
            require_starttls=MODE == "starttls",
            authenticator=authenticate,
            auth_required=MODE != "none",
            auth_require_tls=MODE == "starttls",
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(smtp, "127.0.0.1", 0, ssl=context if MODE == "tls" else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
