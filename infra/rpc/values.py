"""Protobuf messages to plain values and back, by the names of their fields: no mapping is written for any message."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from infra.problems import Problem
from schemas.money import minor_digits

M = TypeVar("M", bound=Message)

_NANO_DIGITS: Final = 9
_MONEY: Final = "google.type.Money"


def plain(message: Message) -> dict[str, Any]:
    """Give the fields that are set, for a model of ours to validate; raises the 422 problem.

    Enums become the words of the JSON APIs, `google.type.Money` an amount in minor units with its currency, times
    `datetime` and `date`, durations seconds.
    """
    return {field.name: _plain(field, value) for field, value in message.ListFields()}


def filled(kind: type[M], values: object) -> M:
    """Give a message whose fields are taken by name from a row or a mapping; what is None or missing stays unset."""
    message = kind()
    _fill(message, values)
    return message


def _plain(field: FieldDescriptor, value: Any) -> Any:  # noqa: ANN401  # a field is of any type
    one = _reader(field)
    if one is None:
        return list(value) if field.is_repeated else value
    return [one(each) for each in value] if field.is_repeated else one(value)


@lru_cache(None)
def _reader(field: FieldDescriptor) -> Callable[[Any], Any] | None:
    if field.enum_type is not None:
        return _word_of(_words(field.enum_type))
    if field.message_type is None:
        return None
    name = field.name
    readers: dict[str | Any, Callable[[Any], Any]] = {
        _MONEY: lambda money: _minor(name, money),
        "google.protobuf.Timestamp": lambda timestamp: _instant(name, timestamp),
        "google.protobuf.Duration": lambda duration: duration.seconds + duration.nanos / 10**_NANO_DIGITS,
        "google.type.Date": lambda day: _day(name, day),
    }
    reader: Callable[[Any], Any] = readers.get(field.message_type.full_name, plain)
    return reader


def _word_of(words: Mapping[int, str]) -> Callable[[Any], Any]:
    return lambda number: words[number]


@lru_cache(None)
def _words(kind: EnumDescriptor) -> Mapping[int, str]:
    """Give the word of each number: `ORDER_STATUS_PARTLY_SHIPPED` is `partly_shipped`."""
    prefix = kind.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {number: value.name.removeprefix(prefix).lower() for number, value in kind.values_by_number.items()}


@lru_cache(None)
def _numbers(kind: EnumDescriptor) -> Mapping[str, int]:
    return {word: number for number, word in _words(kind).items()}


def _minor(name: str, money: Any) -> dict[str, Any]:  # noqa: ANN401  # google.type.Money
    digits = minor_digits(money.currency_code)
    minor, rest = divmod(money.nanos, 10 ** (_NANO_DIGITS - digits))
    if rest:
        raise _invalid(name, "has more decimals than its currency")
    if money.units * money.nanos < 0:
        raise _invalid(name, "has units and nanos of different signs")
    return {"amount": money.units * 10**digits + minor, "currency": money.currency_code}


def _instant(name: str, timestamp: Timestamp) -> datetime:
    try:
        return timestamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _invalid(name, "is not an instant of this calendar") from None


def _day(name: str, day: Any) -> date:  # noqa: ANN401  # google.type.Date
    try:
        return date(day.year, day.month, day.day)
    except (ValueError, OverflowError):
        raise _invalid(name, "must be a whole day: year, month and day") from None


def _invalid(name: str, reason: str) -> Problem:
    return Problem(422, errors=[(f"/{name}", reason)])


def _fill(message: Message, values: Any) -> None:  # noqa: ANN401  # a row or a mapping
    is_mapping = isinstance(values, Mapping)
    for name, write in _writers(message.DESCRIPTOR):
        if (value := values.get(name) if is_mapping else getattr(values, name, None)) is not None:
            write(message, value)


Writer = Callable[[Any, Any], None]


@lru_cache(None)
def _writers(kind: Descriptor) -> Sequence[tuple[str, Writer]]:
    return [(field.name, _writer(field)) for field in kind.fields]


def _writer(field: FieldDescriptor) -> Writer:
    name = field.name
    if field.message_type is not None:
        fill: Writer = _FILLED.get(field.message_type.full_name, _fill)
        if field.is_repeated:
            return lambda message, values: _fill_each(getattr(message, name), values, fill)
        return lambda message, value: fill(_present(message, name), value)
    kind = _scalar if field.enum_type is None else _number_of(_numbers(field.enum_type))
    if field.is_repeated:
        return lambda message, values: getattr(message, name).extend(map(kind, values))
    return lambda message, value: setattr(message, name, kind(value))


def _number_of(numbers: Mapping[str, int]) -> Callable[[Any], Any]:
    return lambda word: numbers[word]


def _fill_each(messages: Any, values: Iterable[Any], fill: Writer) -> None:  # noqa: ANN401  # a repeated field
    for value in values:
        fill(messages.add(), value)


def _present(message: Message, name: str) -> Any:  # noqa: ANN401  # the message in that field
    within = getattr(message, name)
    within.SetInParent()
    return within


def _scalar(value: Any) -> Any:  # noqa: ANN401  # of whatever type the field has
    return value if isinstance(value, int | float | str | bytes) else str(value)


def _fill_money(money: Any, value: Any) -> None:  # noqa: ANN401  # an amount of any of our models
    amount, currency = (value["amount"], value["currency"]) if isinstance(value, Mapping) else _amount(value)
    digits = minor_digits(currency)
    units, rest = divmod(abs(amount), 10**digits)
    sign = -1 if amount < 0 else 1
    money.currency_code, money.units, money.nanos = currency, sign * units, sign * rest * 10 ** (_NANO_DIGITS - digits)


def _amount(value: Any) -> tuple[int, str]:  # noqa: ANN401  # Money or Revenue
    return value.amount, value.currency


def _fill_instant(timestamp: Timestamp, value: datetime) -> None:
    timestamp.FromDatetime(value)


def _fill_duration(duration: Any, value: float) -> None:  # noqa: ANN401  # google.protobuf.Duration
    duration.FromNanoseconds(round(value * 10**_NANO_DIGITS))


def _fill_day(day: Any, value: date) -> None:  # noqa: ANN401  # google.type.Date
    day.year, day.month, day.day = value.year, value.month, value.day


def _fill_struct(struct: Any, value: Mapping[str, Any]) -> None:  # noqa: ANN401  # google.protobuf.Struct
    struct.update(value)


def _fill_value(message: Any, value: Any) -> None:  # noqa: ANN401  # google.protobuf.Value
    ParseDict(value, message)


_FILLED: Final[Mapping[str, Writer]] = {
    _MONEY: _fill_money,
    "google.protobuf.Timestamp": _fill_instant,
    "google.protobuf.Duration": _fill_duration,
    "google.type.Date": _fill_day,
    "google.protobuf.Struct": _fill_struct,
    "google.protobuf.Value": _fill_value,
}
