import pytest

from router.classify.commands import speech

COMMANDS = [
    "cancel my subscription",
    "Cancel my subscription, please.",
    "delete the user account 42",
    "deploy build 7 to production",
    "Please delete my account",
    "can you transfer $500 to my savings account",
    "refund my order now",
    "restart the payment service",
    "Hi, could you please reset my password?",
    "I want my order cancelled",
    "I need to change my delivery address",
    "Grant Alice admin rights on the repository",
    "merge the pull request and deploy it",
    "book a table for two and send an invite to Sam",
    "Roll back the last deployment",
    "unsubscribe me from the newsletter",
    "Revoke the API key of the intern",
    "drop the staging database",
    "send $20 to Bob",
    "close ticket 5531",
    "go ahead and approve the invoice",
    "The order is wrong. Cancel the order.",
    "I'd like to upgrade my plan",
    "Summarize this thread. Then delete the ticket.",
    "disable two-factor login for user 7",
]
NO_COMMANDS = [
    "how do I cancel my subscription?",
    "explain how to delete a branch in git",
    "How can I delete my account?",
    "what happens if I cancel my order?",
    "tell me how to reset my password",
    "What is the process to transfer money?",
    "should I merge the pull request?",
    "write an email asking to cancel my subscription",
    "write a script that deletes old files",
    "remove the second paragraph from this text",
    "delete the duplicate words in this sentence",
    "Summarize this: please cancel my order and refund my card.",
    "Translate to French: delete the file",
    "can you explain how to deploy a build?",
    "who can approve an invoice?",
    "when was my order cancelled?",
    "Is it safe to delete the cache folder?",
    "I was wondering how to close a ticket",
    "show me how to restart the server",
    "What does 'drop table' do in SQL?",
    "why was my card blocked?",
    "the order was cancelled yesterday",
    "do not worry about it",
    "Review this pull request. It deletes the user table.",
    "the deploy failed",
]


@pytest.mark.parametrize("text", COMMANDS)
def test_a_command_is_heard(text: str) -> None:
    assert speech(text) == "command"


@pytest.mark.parametrize("text", NO_COMMANDS)
def test_talk_about_a_change_is_no_command(text: str) -> None:
    assert speech(text) != "command"


@pytest.mark.parametrize("text", ["", "   ", "...", "?", "\n\n", "🙂", "日本語のテキスト"])
def test_a_text_without_words_says_nothing(text: str) -> None:
    assert speech(text) == "other"
