"""Money as integer minor units and an ISO 4217 code; no float and no decimal string ever stands for money."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from schemas.base import MAX_MINOR_UNITS, Message

_CODES: Final = (
    "AED ALL AMD AOA ARS AUD AZN BAM BDT BGN BHD BRL BWP CAD CHF CLP CNY COP CRC CVE CZK DKK DOP DZD EGP ETB EUR GBP "
    "GEL GHS GTQ HKD HNL HUF IDR ILS INR ISK JMD JOD JPY KES KHR KRW KWD KZT LAK LBP LKR MAD MDL MKD MNT MOP MUR MXN "
    "MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RWF SAR SEK SGD STN THB TND TRY TTD "
    "TWD TZS UAH UGX USD UYU UZS VND XAF XOF ZAR ZMW"
)
CURRENCIES: Final = frozenset(_CODES.split())
"""ISO 4217 codes of currencies in circulation that a shop may price in."""

_WITHOUT_MINOR_UNIT: Final = frozenset({"CLP", "ISK", "JPY", "KRW", "PYG", "RWF", "UGX", "VND", "XAF", "XOF"})
_OF_THOUSAND: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


def minor_digits(currency: str) -> int:
    """How many decimals the minor unit stands for (ISO 4217): 2 for EUR, 0 for JPY. CLDR, and so Babel, differs."""
    if currency in _WITHOUT_MINOR_UNIT:
        return 0
    return 3 if currency in _OF_THOUSAND else 2


def written(amount: int, currency: str) -> str:
    """Write an amount as people read it in any language: 33.00 EUR."""
    digits = minor_digits(currency)
    return f"{amount / 10**digits:,.{digits}f} {currency}"


def _known(code: str) -> str:
    if code not in CURRENCIES:
        msg = "is not a currency that can be priced in (ISO 4217)"
        raise ValueError(msg)
    return code


Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), AfterValidator(_known)]
Minor = Annotated[int, Field(ge=0, le=MAX_MINOR_UNITS)]


class Money(Message):
    """An amount in the currency's minor unit: 1250 EUR is 12.50 euros, 1250 JPY is 1,250 yen."""

    amount: Minor
    currency: Currency
