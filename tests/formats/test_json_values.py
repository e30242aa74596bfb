"""JSON of other people's files: strict, with file, line and column in every complaint."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from elmo_tasks.errors import InputError
from elmo_tasks.formats.json_values import found, member, parse_json, shown


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ('{"a": 1', None, "f.json:1: column 8: this is not JSON (Expecting ',' delimiter); is the file whole?"),
        ('{"a":\n "b', None, "f.json:2: column 2: this is not JSON (Unterminated string starting at); is the"),
        ('{"a":\n "b', 7, "f.json:7: column 2: this is not JSON (Unterminated"),
        ("", 3, "f.json:3: column 1: this is not JSON (Expecting value)"),
        ("{} {}", 3, "f.json:3: column 4: this is not JSON (Extra data)"),
        ('{"a": 1, "b": {"c": 1, "c": 1}}', None, "f.json: the key 'c' stands twice in one JSON object; remove one"),
        ('{"a": 1, "a": 1}', 5, "f.json:5: the key 'a' stands twice in one JSON object"),
        ("[" * 200_000, None, "f.json: the brackets of this JSON are nested too deeply"),
        ("1" * 5_000, None, "f.json: this JSON cannot be read (Exceeds the limit"),
        ("\ufeff{}", None, "f.json:1: column 1: this is not JSON (Unexpected UTF-8 BOM"),
    ],
    ids=range(10),
)
def test_what_is_not_json_is_named(text: str, line: int | None, sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_json(text, "f.json", line)
    assert str(refused.value).startswith(sentence)


def test_repeated_keys_can_be_wanted() -> None:
    repeated: list[str] = []
    text = '{"a": 1, "b": [{"c": 1, "c": 2}, {"c": 3}], "a": 4, "a": 5}'
    assert parse_json(text, "f.json", on_repeated_key=repeated.append) == {"a": 5, "b": [{"c": 2}, {"c": 3}]}
    assert repeated == ["c", "a", "a"]


def test_a_member_of_the_right_kind_is_given() -> None:
    record = {"text": "one", "count": 3, "empty": []}
    assert member(record, "text", str, "f") == "one"
    assert member(record, "count", int, "f") == 3
    assert member(record, "empty", list, "f") == []


@pytest.mark.parametrize(
    ("record", "kind", "sentence"),
    [
        ([], str, 'f:3: expected an object with "a", found a list.'),
        ("a", str, "f:3: expected an object with \"a\", found the string 'a'."),
        (None, str, 'f:3: expected an object with "a", found null.'),
        ({}, str, 'f:3: there is no "a" in it.'),
        ({"b": 1, "c\n": 2}, str, "f:3: there is no \"a\" among the keys 'b', 'c\\n'."),
        ({"a": 3}, str, 'f:3: "a" must be a string, found 3.'),
        ({"a": "3"}, int, "f:3: \"a\" must be a whole number, found the string '3'."),
        ({"a": 3.0}, int, 'f:3: "a" must be a whole number, found 3.0.'),
        ({"a": True}, int, 'f:3: "a" must be a whole number, found true.'),
        ({"a": {}}, list, 'f:3: "a" must be a list, found an object.'),
    ],
)
def test_another_member_is_named(record: object, kind: type, sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        member(record, "a", kind, "f:3")
    assert str(refused.value) == sentence


def test_what_a_message_shows_is_short_and_on_one_line() -> None:
    assert shown("a\nb") == r"'a\nb'"
    assert shown("x" * 61) == "'" + "x" * 60 + "'..."
    assert found("\u2028") == r"the string '\u2028'"
    assert [found(value) for value in ([1], {"a": 1}, 1.5, False)] == ["a list", "an object", "1.5", "false"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=3), values, max_size=3),
    max_leaves=8,
)


@given(json_values, st.integers(0, 200), st.integers(0, 3), st.text('{}[]",:1e\\\n ', max_size=3))
@example({"a": {"b": 1}}, 0, 0, "")
@example(10**4400, 0, 0, "")
def test_any_text_is_its_value_or_the_error(value: object, at: int, length: int, inserted: str) -> None:
    try:
        text = json.dumps(value)
    except ValueError:
        return  # more digits than Python writes
    text = text[:at] + inserted + text[at + length :]
    parsed, refusal = None, ""
    try:
        parsed = parse_json(text, "f.json")
    except InputError as error:
        refusal = str(error)
    if not refusal:
        assert parsed == json.loads(text)
        return
    assert refusal.startswith("f.json:")
    assert refusal.isprintable()
    if "stands twice" not in refusal:
        with pytest.raises(ValueError, match="."):
            json.loads(text)
