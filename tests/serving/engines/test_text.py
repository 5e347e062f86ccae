"""Text grows token by token, equals what the tokenizer decodes, and never leaks a stop string."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from serving.engines.transformers_engine.text import Detokenizer, StopScanner, Vocabulary


@pytest.fixture(scope="module")
def byte_level(llama: Path) -> Vocabulary:
    return Vocabulary(AutoTokenizer.from_pretrained(str(llama)))


@pytest.fixture(scope="module")
def byte_fallback() -> Vocabulary:
    """A vocabulary like sentencepiece's: words with ▁, and bytes for everything else."""
    tokens = ["<unk>", "<s>", "</s>", "▁the", "▁sea", "s", "▁"] + [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer = Tokenizer(models.BPE({token: at for at, token in enumerate(tokens)}, [], byte_fallback=True))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return Vocabulary(
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    )


def pieces(vocabulary: Vocabulary, ids: list[int]) -> list[str]:
    detokenizer = Detokenizer(vocabulary)
    return [detokenizer.push(token) for token in ids] + [detokenizer.flush()]


def decoded(vocabulary: Vocabulary, ids: list[int]) -> Any:
    return vocabulary.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


@given(ids=st.lists(st.integers(0, 290), max_size=30))
def test_any_byte_level_tokens_give_what_the_tokenizer_decodes(byte_level: Vocabulary, ids: list[int]) -> None:
    assert "".join(pieces(byte_level, ids)) == decoded(byte_level, ids)


@given(text=st.text(max_size=30))
def test_valid_text_never_shows_half_a_character(byte_level: Vocabulary, text: str) -> None:
    ids = byte_level.tokenizer(text, add_special_tokens=False)["input_ids"]
    given_out = pieces(byte_level, ids)
    assert "".join(given_out) == decoded(byte_level, ids)
    if "\ufffd" not in text:
        assert not any("\ufffd" in piece for piece in given_out)


@pytest.mark.parametrize("text", ["日本", "🏄 the sea", "naïve 🇯🇵", "x"])
def test_byte_fallback_never_shows_half_a_character(byte_fallback: Vocabulary, text: str) -> None:
    ids = [3] + [7 + byte for byte in text.encode()] + [4, 5]
    given_out = pieces(byte_fallback, ids)
    assert "".join(given_out) == decoded(byte_fallback, ids) == f"the{text} seas"
    assert not any("\ufffd" in piece for piece in given_out)


def test_broken_bytes_do_not_hold_a_stream_back_for_ever(byte_fallback: Vocabulary) -> None:
    given_out = pieces(byte_fallback, [7 + 0xFF] * 40)
    assert any(given_out[:10])


def test_pieces_show_partial_characters_as_bytes(byte_level: Vocabulary, byte_fallback: Vocabulary) -> None:
    start = byte_level.tokenizer("é", add_special_tokens=False)["input_ids"][0]
    assert byte_level.piece(start).raw[:1] == "é".encode()[:1]
    assert byte_fallback.piece(7 + 0xE2).text == "bytes:\\xe2"
    assert byte_fallback.piece(7 + 0xE2).raw == b"\xe2"
    assert byte_fallback.piece(4).text == " sea"
    assert byte_level.piece(10_000).raw == b""


@given(
    text=st.text("abc", max_size=40),
    stops=st.lists(st.text("abc", min_size=1, max_size=4), max_size=3),
    size=st.integers(1, 5),
)
def test_stop_strings_cut_at_their_first_place_and_never_leak(text: str, stops: list[str], size: int) -> None:
    scanner = StopScanner(tuple(stops))
    out = ""
    for start in range(0, len(text), size):
        out += scanner.feed(text[start : start + size])
        if scanner.stopped:
            break
        assert not any(stop in out for stop in stops)
    out += "" if scanner.stopped else scanner.flush()
    if scanner.stopped:
        assert text.startswith(out)
        assert any(text[len(out) :].startswith(stop) for stop in stops)
        assert not any(stop in out for stop in stops)
    else:
        assert out == text
        assert not any(stop in text for stop in stops)


def test_text_that_cannot_begin_a_stop_string_is_not_held() -> None:
    scanner = StopScanner(("END",))
    assert [scanner.feed(part) for part in ("see ", "E", "N", "x", "EN", "D!")] == ["see ", "", "", "ENx", "", ""]
    assert scanner.stopped
