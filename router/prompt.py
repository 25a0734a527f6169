"""How does what was added to a request stand in its prompt? Folded into the user's last word, as data before it.

Chat templates differ in whether they take a second message of a user, of the system, or of a tool in this place; all of them take one
text of the user. The messages of the request itself stay apart: labels, scans and evidence know them one by one.
"""

from router.contract import Message


def prompt_messages(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return the messages that a lane is sent: the caller's own, the last of the user's with all that was added before it.

    Results of a tool that answer a model's own call stay where they are: the model expects them there.
    """
    added = [message for message in messages if _is_folded(message)]
    if not added:
        return messages
    own = [message for message in messages if not _is_folded(message)]
    at = max((index for index, message in enumerate(own) if message.role == "user"), default=None)
    parts = tuple(part for message in added for part in message.content)
    if at is None:
        return (*own, Message(role="user", content=parts))
    own[at] = own[at].model_copy(update={"content": (*parts, *own[at].content)})
    return tuple(own)


def _is_folded(message: Message) -> bool:
    return message.origin != "caller" and message.role == "user"
