import pytest

from router.contract import Finding
from router.scan import scan_text


def credentials(text: str) -> list[Finding]:
    return [found for found in scan_text(text) if found.category == "credentials" and found.score >= 0.5]


# Put together here, so that no scanner takes this file for a leak.
TOKENS = [
    "AKIA" + "IOSFODNN7EXAMPLE",
    "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "glpat-" + "x1Y2z3A4b5C6d7E8f9G0",
    "xoxb-" + "123456789012-abcdefGHIJKL",
    "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "sk-proj-" + "abcDEF123456ghiJKL7890mnop",
    "sk-ant-" + "api03-abcDEF123456ghiJKL7890",
    "AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6q",
    "eyJ" + "hbGciOiJIUzI1NiJ9." + "eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH",
    "-----BEGIN RSA " + "PRIVATE KEY-----",
]


@pytest.mark.parametrize("token", TOKENS)
def test_an_issuers_shape_gives_a_token_away(token: str) -> None:
    text = f"why does {token} not work?"

    found = credentials(text)[0]

    assert text[found.start : found.end] == token


@pytest.mark.parametrize(
    "text",
    [
        "my password is hunter2!",
        "password=Tr0ub4dor&3",
        'API_KEY = "9f8a7s6d5f4g3h2j"',
        "the wifi password: Blue-Horse-42",
        "export DB_PASSWORD=correcthorse9",
        "client_secret: 'a8f5f167f44f4964'",
        "Authorization: Bearer abcdef1234567890",
        "postgres://admin:s3cr3t@db.example.com/app",
        "http://username:whywouldyouusehttpforpasswords@example.com",
        "my pin is 4821",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    ],
)
def test_a_secret_is_found(text: str) -> None:
    assert credentials(text)


@pytest.mark.parametrize(
    "text",
    [
        "I forgot my password",
        "my password is incorrect",
        "password: required",
        "how do I reset my password?",
        "password = os.environ['PASSWORD']",
        "api_key = <your key here>",
        'token = "${TOKEN}"',
        "password=getenv('X')",
        "the token is invalid",
        "https://example.com/a/b?c=d",
        "What is a secret key in cryptography?",
        "max_token: 512 tokens per request",
        "/usr/local/lib/python3/site-packages/some_package/module",
        "DEADBEEF",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ],
)
def test_talk_of_secrets_is_no_secret(text: str) -> None:
    assert credentials(text) == []


def test_a_hash_is_listed_and_raises_nothing() -> None:
    found = scan_text("commit 8b1118b376c313ed420e5133ba91307817ed52c2")

    assert {(one.entity, one.score) for one in found} == {("HIGH_ENTROPY", 0.4)}
