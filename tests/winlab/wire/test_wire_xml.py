from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winlab.wire.xml import MAX_DEPTH, MAX_ELEMENTS, XmlError, attribute, content, parse


def test_names_are_namespaces_and_not_prefixes() -> None:
    first = parse(b'<a:x xmlns:a="urn:one"><a:y a:z="1" w="2">t</a:y></a:x>')
    second = parse(b'<x xmlns="urn:one" xmlns:q="urn:one"><y q:z="1" w="2">t</y></x>')
    for root in (first, second):
        assert root.tag == "{urn:one}x"
        child = root.find("{urn:one}y")
        assert child is not None
        assert child.attributes == {"{urn:one}z": "1", "w": "2"}
        assert root.text_of("{urn:one}y") == "t"
        assert root.text_of("y") is None
        assert list(root.find_all("{urn:one}y")) == [child]


def test_utf_16_is_read() -> None:
    assert parse('<?xml version="1.0"?><a>主机</a>'.encode("utf-16")).text == "主机"


def test_white_space_around_text_is_no_content_but_stays_in_the_raw_text() -> None:
    root = parse(b"<a>\n  b \n</a>")
    assert root.text == "b"
    assert root.raw_text == "\n  b \n"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"no xml",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"<a x='1' x='2'/>",
        b"<p:a/>",
        b"\xff\xfe\x00",
        b"<a>\x00</a>",
        b'<?xml version="1.0" encoding="no-such-thing"?><a/>',
    ],
)
def test_what_is_not_well_formed_is_refused(document: bytes) -> None:
    with pytest.raises(XmlError):
        parse(document)


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1/never"><a/>',
        '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'.encode("utf-16"),
    ],
)
def test_a_document_type_declaration_is_refused(document: bytes) -> None:
    with pytest.raises(XmlError, match="document type"):
        parse(document)


def test_depth_and_number_of_elements_are_bounded() -> None:
    deepest = b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH
    assert parse(deepest).tag == "a"
    with pytest.raises(XmlError, match="too many"):
        parse(b"<a>" + deepest + b"</a>")
    with pytest.raises(XmlError, match="too many"):
        parse(b"<a>" + b"<b/>" * MAX_ELEMENTS + b"</a>")


_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\r\n\t\"<>&'")
)


@given(_TEXT, _TEXT)
def test_escaped_text_comes_back_as_it_was(value: str, text: str) -> None:
    root = parse(f'<a b="{attribute(value)}">{content(text)}</a>'.encode())
    assert root.attributes["b"] == value
    assert root.raw_text == text


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_xml_errors(document: bytes) -> None:
    with contextlib.suppress(XmlError):
        parse(document)


_LONG = base64.b64encode(bytes(range(256)) * 64)


@pytest.mark.parametrize("after", ["", "<c/>", "<c>x</c>and more", "<!-- x -->", " \n"])
@pytest.mark.parametrize("before", ["", "<c/>", "\n  ", "<!-- > -->", "<c q='>'/>"])
@pytest.mark.parametrize("start", ["<b>", "<b q='>' w='2'>", "<b\n>"])
def test_long_base64_reads_as_any_other_text(start: str, before: str, after: str) -> None:
    document = f"<a>{before}{start}{_LONG.decode()}{after}</b></a>"
    child = next(parse(document.encode()).find_all("b"))
    assert child.raw_text.startswith(_LONG.decode())
    # A space in front sends the same document the long way.
    slow = parse(document.replace(_LONG.decode(), " " + _LONG.decode()).encode()).find("b")
    assert slow is not None
    assert child.raw_text == slow.raw_text.removeprefix(" ")
    assert child.attributes == slow.attributes
    assert [item.tag for item in child.children] == [item.tag for item in slow.children]
    if after != "<c>x</c>and more":
        assert child.octets == slow.octets == bytes(range(256)) * 64


@pytest.mark.parametrize(
    "document",
    [
        b"<a/>" + _LONG,
        b"<a><b>" + _LONG,
        b"<a b='>" + _LONG + b"<'/>",
        b"<a b='>" + _LONG + b"</a>",
        b"<!-- <a>" + _LONG + b"</a>",
        b"<a>" + _LONG + b"</b>",
        b"<a>" + _LONG + b"</a></a>",
        b"<a></a><a>" + _LONG + b"</a>",
    ],
)
def test_long_base64_hides_no_broken_document(document: bytes) -> None:
    with pytest.raises(XmlError):
        parse(document)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b"<a><![CDATA[<b>" + _LONG + b"</b>]]></a>", b"<b>" + _LONG + b"</b>"),
        (b"<a><!-- <b>" + _LONG + b"</b> --></a>", b""),
        (b"<a><b/>" + _LONG + b"</a>", _LONG),
        (b"<a>" + _LONG + b"&amp;</a>", _LONG + b"&"),
        (b"<a>" + _LONG + b"\r\n</a>", _LONG + b"\n"),
        (b"<a>" + _LONG + b"\\u0041AAA</a>", _LONG + b"\\u0041AAA"),
        (b'<?xml version="1.0" encoding="cp037"?><a>x</a>' + b" " * 9_000, None),
    ],
)
def test_long_base64_is_taken_only_where_it_is_text(document: bytes, text: bytes | None) -> None:
    if text is None:
        with pytest.raises(XmlError):
            parse(document)
        return
    assert parse(document).raw_text.encode() == text


def test_utf_16_with_long_base64_is_read() -> None:
    root = parse(f'<?xml version="1.0"?><a>{_LONG.decode()}</a>'.encode("utf-16"))
    assert root.octets == bytes(range(256)) * 64


def test_what_is_no_base64_has_no_octets() -> None:
    assert parse(b"<a> QUJD\nREVG </a>").octets == b"ABCDEF"
    with pytest.raises(ValueError, match="padding"):
        _ = parse(b"<a>QUJDRA</a>").octets
