"""How does a body reach a hosted API, and what does its answer mean? One module reads each protocol, with its maker's own client.

The client reads the answer; what it sends is rebuilt at the last step before the wire (`sending`). Nothing that a provider says in words
is passed on: its messages may quote the key or the prompt.
"""

from serving.door.provider.providers import Providers, speaker_of

__all__ = ["Providers", "speaker_of"]
