from django.apps import AppConfig


class CollabConfig(AppConfig):
    name = "collab"
    verbose_name = "Rooms"

    def ready(self) -> None:
        from collab import mails, relay  # noqa: PLC0415 - needs the app registry
        from collab.services import invitations  # noqa: PLC0415 - likewise

        mails.connect_signals()
        relay.connect_signals()
        invitations.connect_signals()
