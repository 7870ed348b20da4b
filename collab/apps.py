from django.apps import AppConfig


class CollabConfig(AppConfig):
    name = "collab"
    verbose_name = "Collaboration"

    def ready(self) -> None:
        from collab.relay import connect_signals  # noqa: PLC0415 - needs the app registry

        connect_signals()
