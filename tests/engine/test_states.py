"""Awareness states: what is refused, who they are of, and that all else comes out as it went in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.engine.errors import MalformedError
from collab.engine.identity import Identity
from collab.engine.states import MAX_FIELDS, NULL, checked_state

ADA = Identity({"id": "1", "name": 'Ada "Å" 👩', "color": "#0072ef"})
STAMP = '"id":"1","name":"Ada \\"Å\\" 👩","color":"#0072ef"'
WHO = json.loads("{" + STAMP + "}")
LIMIT = 200_000

NESTED = b'{"a":' * 20_000 + b"1" + b"}" * 20_000
BAD_STATES = {
    "NaN": b'{"x":NaN}',
    "Infinity": b'{"x":Infinity}',
    "-Infinity": b'{"x":-Infinity}',
    "NaN in user": b'{"user":{"x":NaN}}',
    "NaN as name": b'{"user":{"name":NaN}}',
    "nested deep": NESTED,
    "arrays nested deep": b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "nested deep in user": b'{"user":{"a":' + b"[" * 100 + b"]" * 100 + b"}}",
    "list": b"[]",
    "number": b"1",
    "string": b'"a"',
    "empty": b"",
    "not JSON": b"{",
    "not UTF-8": b'{"a":"\xff"}',
    "BOM": b"\xef\xbb\xbf{}",
    "control character": b'{"a":"\x01"}',
    "control character in a name": b'{"\x01":1}',
    "another spelling of null": b" null",
    "true": b"true",
    "something behind": b'{"a":1}{}',
    "something before": b" {}",
    "comma at the end": b'{"a":1,}',
    "comma at the start": b'{,"a":1}',
    "no comma": b'{"a":1 "b":2}',
    "no colon": b'{"a" 1}',
    "no value": b'{"a":}',
    "no name": b"{a:1}",
    "cut in user": b'{"user":{"name":"x"',
    "leading zero": b'{"a":01}',
}


@pytest.mark.parametrize("identity", [None, ADA], ids=["as it is", "stamped"])
@pytest.mark.parametrize("state", BAD_STATES.values(), ids=BAD_STATES)
def test_state_that_breaks_a_client_is_refused(state: bytes, identity: Identity | None) -> None:
    with pytest.raises(MalformedError):
        checked_state(state, LIMIT, identity)


@pytest.mark.parametrize(
    "state",
    [
        b'{"user":{"name":"Ada"},"user":{"name":"Eve"}}',
        b'{"user":{"name":"Ada"},"\\u0075ser":{"name":"Eve"}}',
        b'{"user":{"name":"Ada","name":"Eve"}}',
        b'{"user":{"name":"Ada","n\\u0061me":"Eve"}}',
    ],
)
def test_field_that_stands_there_twice_is_refused(state: bytes) -> None:
    """One reader takes the first, another one the last."""
    with pytest.raises(MalformedError):
        checked_state(state, LIMIT, ADA)


@pytest.mark.parametrize("place", ["%s", '{"user":%s}'], ids=["state", "user"])
def test_state_of_very_many_fields_is_refused(place: str) -> None:
    def state(fields: int) -> bytes:
        return (place % json.dumps({str(number): 0 for number in range(fields)})).encode()

    assert checked_state(state(MAX_FIELDS), LIMIT, ADA)
    with pytest.raises(MalformedError):
        checked_state(state(MAX_FIELDS + 1), LIMIT, ADA)


def test_state_is_measured_as_the_client_sent_it() -> None:
    state = b'{"a":"' + b"x" * 92 + b'"}'
    assert len(state) == 100
    assert len(checked_state(state, 100, ADA)) > 100
    with pytest.raises(MalformedError):
        checked_state(state, 99, ADA)


@pytest.mark.parametrize(
    "state",
    [
        b'{"points":[' + b"[1,2]," * 2_000 + b"[]]}",
        b'{"a":' + b"[" * 99 + b"]" * 99 + b"}",
        b'{"a":"' + b"[{" * 1_000 + b'\\"[[["}',
        b'{"a":' + b"9" * 10_000 + b"}",
    ],
    ids=["wide", "100 deep", "brackets in a text", "long number"],
)
@pytest.mark.parametrize("identity", [None, ADA], ids=["as it is", "stamped"])
def test_state_that_harms_nobody_passes(state: bytes, identity: Identity | None) -> None:
    assert checked_state(state, LIMIT, identity)


def test_null_stays_null() -> None:
    assert checked_state(NULL, LIMIT, ADA) == NULL


def test_state_without_an_identity_stays_as_it_is() -> None:
    state = b'{ "user" : {"name":"Eve","name":"Eve"} }'
    assert checked_state(state, LIMIT) == state


@pytest.mark.parametrize(
    ("state", "stamped"),
    [
        ("{}", '{"user":{%s}}'),
        ("{ }", '{ "user":{%s}}'),
        ('{"cursor":null}', '{"cursor":null,"user":{%s}}'),
        ('{"cursor":1 }', '{"cursor":1 ,"user":{%s}}'),
        ('{"user":{}}', '{"user":{%s}}'),
        ('{"user":null,"a":1}', '{"user":{%s},"a":1}'),
        ('{"user":"Eve"}', '{"user":{%s}}'),
        ('{"user":["Eve"]}', '{"user":{%s}}'),
        ('{"a":1,"user":{"name":"Eve","id":"2","color":"red"},"b":2}', '{"a":1,"user":{%s},"b":2}'),
        ('{"\\u0075ser":{"n\\u0061me":"Eve","x":1}}', '{"\\u0075ser":{%s,"x":1}}'),
        ('{"user" : { "x" : 1 , "name" : "Eve" , "y":[2] } }', '{"user" : {%s,"x" : 1,"y":[2]} }'),
        (
            '{"User":{"name":"Eve"},"a":{"user":{"name":"E"}}}',
            '{"User":{"name":"Eve"},"a":{"user":{"name":"E"}},"user":{%s}}',
        ),
        (
            '{"n":[1e400,-0,-0.0,1E5,123456789012345678901234567890,0.1e-7],"user":{"z":-0,"name":1,"a":1e400}}',
            '{"n":[1e400,-0,-0.0,1E5,123456789012345678901234567890,0.1e-7],"user":{%s,"z":-0,"a":1e400}}',
        ),
        (
            '{"z":"\\ud83d","a":"\\/\\u00e9é","user":{"t":"👩\\n"}}',
            '{"z":"\\ud83d","a":"\\/\\u00e9é","user":{%s,"t":"👩\\n"}}',
        ),
    ],
)
def test_user_of_a_state_is_who_the_server_says_and_the_rest_stays(state: str, stamped: str) -> None:
    assert checked_state(state.encode(), LIMIT, ADA).decode() == stamped.replace("%s", STAMP)


def test_fields_that_the_identity_does_not_name_are_the_clients() -> None:
    guest = Identity({"name": "Guest"})
    assert checked_state(b'{"user":{"color":"#ffffff","name":"Eve"}}', LIMIT, guest) == (
        b'{"user":{"name":"Guest","color":"#ffffff"}}'
    )


def test_identity_of_no_fields_changes_nothing_in_user() -> None:
    assert checked_state(b'{"user":{"a":1}}', LIMIT, Identity({})) == b'{"user":{"a":1}}'


def test_stamp_in_place_of_a_stamp_is_the_new_one() -> None:
    once = checked_state(b'{"user":{"a":1}}', LIMIT, Identity({"id": "1", "name": "Eve"}))
    assert checked_state(once, LIMIT, ADA) == b'{"user":{%s,"a":1}}' % STAMP.encode()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
USERS = st.dictionaries(st.sampled_from(["id", "name", "color"]) | st.text(), VALUES, max_size=5)
STATES = st.dictionaries(st.text(), VALUES, max_size=4) | st.builds(
    lambda state, user: {**state, "user": user},
    st.dictionaries(st.text(), VALUES, max_size=3),
    USERS | VALUES,
)


@given(STATES, st.booleans(), st.sampled_from([None, 1]))
def test_stamped_state_reads_as_the_same_with_another_user(
    state: dict[str, object], is_ascii: bool, indent: int | None
) -> None:
    text = json.dumps(state, ensure_ascii=is_ascii, indent=indent).encode("utf-8", "replace")
    sent = json.loads(text)
    found = json.loads(checked_state(text, LIMIT, ADA))
    assert [key for key in found if key != "user" or key in sent] == list(sent)
    own = sent["user"] if isinstance(sent.get("user"), dict) else {}
    assert found == {**sent, "user": {**own, **WHO}}


@given(st.text(alphabet='{}[]",:\\u0075ser name1-.eE \n', max_size=40))
def test_text_that_passes_is_json_and_of_its_user(text: str) -> None:
    try:
        found = checked_state(text.encode(), LIMIT, ADA)
    except MalformedError:
        return
    if found != NULL:
        assert json.loads(found)["user"].items() >= WHO.items()
        assert isinstance(json.loads(text), dict)


@given(st.text(alphabet='{}[]",:\\u0075ser name1-.eE \n', max_size=40))
def test_text_passes_as_it_is_where_it_is_an_object(text: str) -> None:
    try:
        is_object = isinstance(json.loads(text), dict) and text.startswith("{") and text.endswith("}")
    except ValueError:
        is_object = False
    try:
        is_taken = checked_state(text.encode(), LIMIT) != NULL
    except MalformedError:
        is_taken = False
    assert is_taken == is_object
