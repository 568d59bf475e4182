"""A mail server for the tests, on aiosmtpd.

It prints its address as one line of JSON, then one line for each mail that it has taken, and ends with its standard
input. What it does with a recipient is in the address: `refused…` gets 550, `busy…` gets 451 the first time,
`spam…` gets 554 after the mail's text.
"""

import argparse
import asyncio
import base64
import email
import email.policy
import json
import logging
import os
import ssl
import sys
import tempfile

import trustme
from aiosmtpd.smtp import SMTP, AuthResult


def say(**line):
    print(json.dumps(line), flush=True)


class Mailbox:
    def __init__(self):
        self.seen = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused"):
            return f"550 5.1.1 <{address}> is unknown here"
        if address.startswith("busy") and address not in self.seen:
            self.seen.add(address)
            return f"451 4.7.1 <{address}> come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if envelope.rcpt_tos[0].startswith("spam"):
            return "554 5.7.1 Nobody wants this"
        # What another implementation of RFC 5322 makes of it.
        message = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        say(
            subject=message["Subject"], text=message.get_content(), headers=message.keys(),
            messageID=message["Message-ID"], defects=[str(defect) for defect in message.defects],
            sender=envelope.mail_from, recipients=envelope.rcpt_tos,
            isEncrypted=server.transport.get_extra_info("sslcontext") is not None,
            isLoggedIn=bool(session.authenticated),
            content=base64.b64encode(envelope.original_content).decode())
        return "250 OK"


def smtp_factory(arguments, context):
    def authenticate(server, session, envelope, mechanism, data):
        given = f"{data.login.decode()}:{data.password.decode()}"
        return AuthResult(success=given == arguments.login, handled=False)

    mailbox = Mailbox()
    return lambda: SMTP(
        mailbox, hostname="mail.test", tls_context=context if arguments.tls == "starttls" else None,
        auth_require_tls=False, auth_required=arguments.login is not None,
        authenticator=authenticate if arguments.login else None)


async def serve(arguments, context, certificates):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        smtp_factory(arguments, context), "127.0.0.1", arguments.port,
        ssl=context if arguments.tls == "implicit" else None)
    say(port=server.sockets[0].getsockname()[1], certificateAuthorities=certificates)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def main():
    # Clients that hang up are what some tests are about, and nothing to report.
    logging.disable(logging.CRITICAL)
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--login", help="USER:PASSWORD")
    parser.add_argument("--tls", choices=["implicit", "starttls"])
    arguments = parser.parse_args()

    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    with tempfile.TemporaryDirectory() as folder:
        certificates = os.path.join(folder, "ca.pem")
        authority.cert_pem.write_to_path(certificates)
        asyncio.run(serve(arguments, context, certificates))


main()
