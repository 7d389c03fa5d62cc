"""Observers of a graph for tests."""


class Recorder:
    """Remembers what it is told, in order."""

    def __init__(self):
        self.events = []

    def expect(self, node, title, *, usual_seconds=0):
        self.events.append(("expect", node))

    def started(self, node):
        self.events.append(("started", node))

    def line(self, node, message):
        self.events.append(("line", node, message))

    def finished(self, node, state, message=""):
        self.events.append((state, node, message))
