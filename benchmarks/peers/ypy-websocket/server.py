"""ypy-websocket's consumer for Django Channels, as its documentation has it, with the in-memory layer."""

import os

import django
import uvicorn
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path

settings.configure(
    SECRET_KEY="only for the benchmark",
    ALLOWED_HOSTS=["127.0.0.1"],
    INSTALLED_APPS=["channels"],
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
)
django.setup()

from ypy_websocket.django_channels_consumer import YjsConsumer  # noqa: E402  # needs the settings

application = ProtocolTypeRouter({"websocket": URLRouter([path("<str:room>", YjsConsumer.as_asgi())])})

if __name__ == "__main__":
    uvicorn.run(
        application, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", lifespan="off"
    )
