"""A mail server that takes messages from one user, under TLS alone, and prints each as a line of JSON until its input ends."""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

USER, PASSWORD = b"ttm", b"correct-horse-battery-staple"


class Printer:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        parts = list(mail.walk())
        print(json.dumps({
            "is_secure": session.ssl is not None,
            "is_authenticated": session.authenticated,
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "type": mail.get_content_type(),
            "headers": {name.lower(): str(value) for name, value in mail.items()},
            "parts": {part.get_content_type(): part.get_content() for part in parts if not part.is_multipart()},
            "defects": [str(defect) for part in parts for defect in part.defects],
        }), flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, given):
    return AuthResult(success=(given.login, given.password) == (USER, PASSWORD))


async def serve(certificate, key):
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()
    session = lambda: SMTP(Printer(), hostname="localhost", tls_context=tls, require_starttls=True,
                           auth_required=True, authenticator=authenticate, loop=loop)
    server = await loop.create_server(session, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.buffer.read)


asyncio.run(serve(*sys.argv[1:]))
