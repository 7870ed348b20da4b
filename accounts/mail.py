"""Mail to people, as text and as HTML: a template pair, and one way to send it."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection
from django.core.mail.backends.console import EmailBackend as ConsoleEmailBackend
from django.template.loader import render_to_string

logger = logging.getLogger("accounts.mail")


class ConsoleBackend(ConsoleEmailBackend):
    """For development: prints what a person would read, without the HTML part."""

    def write_message(self, message: EmailMessage) -> None:
        lines = [
            f"To: {', '.join(message.recipients())}",
            f"Subject: {message.subject}",
            "",
            str(message.body),
        ]
        self.stream.write("\n".join(lines) + "-" * 79 + "\n")


MAX_SUBJECT = 150


def send_mail(template: str, addresses: Iterable[str], *, subject: str, path: str, **context: object) -> None:
    """Send `mail/<template>.txt` and `.html`, one mail an address, so that nobody sees the others.

    What it tells of is committed: a mail server that fails is logged, and fails nobody's request.

    Args:
        path: where the link in the mail leads, on the front end; begins with a slash.
    """
    subject = " ".join(subject.split())[:MAX_SUBJECT]  # names come from people, and may hold line breaks
    context = {**context, "subject": subject, "link": settings.FRONTEND_URL + path}
    text, html = (render_to_string(f"mail/{template}.{kind}", context) for kind in ("txt", "html"))
    mails = []
    for address in addresses:
        mail = EmailMultiAlternatives(subject, text, to=[address])
        mail.attach_alternative(html, "text/html")
        mails.append(mail)
    try:
        sent = get_connection().send_messages(mails) if mails else 0
    except OSError as error:  # what mail servers refuse is one too
        # Without a trace: the mail server is away, and not we are at fault.
        logger.error("No mail was sent (%s, %d of it): %s", template, len(mails), error)  # noqa: TRY400
    else:
        logger.info("Mail was sent (%s, %d of %d)", template, sent or 0, len(mails))
