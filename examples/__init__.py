"""Consumers of one's own, on top of `collab.consumers.YjsConsumer`; each is run by the tests."""
