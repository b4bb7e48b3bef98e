from __future__ import annotations

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
