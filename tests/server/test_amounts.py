import pytest

from runcycles.errors import ConfigurationError
from runcycles.types import INT64_MAX, Amount, Unit, tokens, usd
from runcycles_server.amounts import parse_amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("5usd", usd("5")),
        ("0.01usd", usd("0.01")),
        ("5 USD", usd("5")),
        ("$5", usd("5")),
        ("$0.00000001", Amount(unit=Unit.USD_MICROCENTS, amount=1)),
        ("$1.50usd", usd("1.50")),
        ("1000000uc", usd("0.01")),
        ("500tokens", tokens(500)),
        ("1token", tokens(1)),
        ("20credits", Amount(unit=Unit.CREDITS, amount=20)),
        ("10points", Amount(unit=Unit.RISK_POINTS, amount=10)),
        (f"{INT64_MAX}tokens", tokens(INT64_MAX)),
    ],
)
def test_an_amount_is_read_exactly(text: str, amount: Amount) -> None:
    assert parse_amount(text) == amount


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("5", "does not say of what"),
        ("0.5", "does not say of what"),
        ("0usd", "would allow nothing"),
        ("$0.00", "would allow nothing"),
        (".00", "did the shell take"),
        ("", "did the shell take"),
        ("-5usd", "is no amount"),
        ("1e3usd", "is no amount"),
        ("9" * 5_000 + "tokens", "is no amount"),
        ("five dollars", "is no amount"),
        ("5eur", "names the unit 'eur'"),
        ("$5tokens", "names two units"),
        ("0.5tokens", "not a whole number of tokens"),
        ("0.000000001usd", "cannot be counted in microcents"),
        ("999999999999usd", "cannot be counted in microcents"),
        (f"{INT64_MAX + 1}tokens", "more than can be counted"),
    ],
)
def test_what_could_be_misread_is_refused_with_the_sentence_that_helps(
    text: str, sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence.replace("$", r"\$")):
        parse_amount(text)
