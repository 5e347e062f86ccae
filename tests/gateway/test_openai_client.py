"""The unmodified OpenAI client against the gateway as it runs."""

import openai
import pytest

CHAT = [{"role": "user", "content": "hi"}]


@pytest.fixture
def client(gateway_url, people, key_of):
    with openai.OpenAI(base_url=f"{gateway_url}/v1", api_key=key_of(people.alice), max_retries=0) as client:
        yield client


def test_models(client, deploy):
    deploy("dates")
    deploy("off", state="stopped", endpoint="")
    deploy("held", purpose="evaluation", stage="")
    assert [model.id for model in client.models.list()] == ["acme/dates"]
    one = client.models.retrieve("acme/dates")
    assert (one.id, one.owned_by) == ("acme/dates", "acme")
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("acme/nothing")
    assert caught.value.code == "model_not_found"


def test_chat(client, deploy, model):
    deploy()
    answer = client.chat.completions.create(model="acme/dates", messages=CHAT, extra_body={"unknown": None, "n": 1})
    assert answer.choices[0].message.content == "deep blue"
    assert answer.usage.total_tokens == 7
    assert answer._request_id.startswith("req_")
    path, body, headers = model.calls[0]
    assert path == "/deployment-1-1/v1/chat/completions"
    assert body == {"model": "acme/dates", "messages": CHAT, "unknown": None, "n": 1}
    assert headers["x-request-id"] == answer._request_id
    assert "authorization" not in headers


def test_a_stream(client, deploy):
    deploy()
    stream = client.chat.completions.create(
        model="acme/dates", messages=CHAT, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "0 é 1 é 2 é 3 é 4 é "
    assert chunks[-1].usage.total_tokens == 10


def test_completions_and_embeddings(client, deploy):
    deploy()
    assert client.completions.create(model="acme/dates", prompt="Once").choices[0].text == "deep blue"
    found = client.embeddings.create(model="acme/dates", input="x", encoding_format="float")
    assert found.data[0].embedding == [0.5, -1.0]


def test_the_models_own_error_comes_through(client, deploy):
    deploy()
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(
                model="acme/dates", messages=[{"role": "user", "content": "fail"}], stream=stream
            )
        assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "messages")


def test_a_stream_that_breaks_off_is_an_error(client, deploy):
    deploy()
    said = []
    with pytest.raises(openai.APIError, match="broke off"):
        for part in client.chat.completions.create(
            model="acme/dates", messages=[{"role": "user", "content": "break"}], stream=True
        ):
            said.append(part.choices[0].delta.content)
    assert "0 é " in said


def test_a_wrong_key(gateway_url, people, key_of):
    right = key_of(people.alice)
    for key in ("sk-123", right + "x", right.replace("cs_", "cs_x", 1)):
        with (
            openai.OpenAI(base_url=f"{gateway_url}/v1", api_key=key, max_retries=0) as client,
            pytest.raises(openai.AuthenticationError) as caught,
        ):
            client.models.list()
        assert caught.value.code == "invalid_api_key"


def test_no_access(gateway_url, people, key_of, deploy, model):
    deploy()

    def attempt(key, error):
        with (
            openai.OpenAI(base_url=f"{gateway_url}/v1", api_key=key, max_retries=0) as client,
            pytest.raises(error) as caught,
        ):
            client.chat.completions.create(model="acme/dates", messages=CHAT)
        return caught.value

    assert attempt(key_of(people.mallory), openai.NotFoundError).code == "model_not_found"
    refused = attempt(key_of(people.carol), openai.PermissionDeniedError)
    assert "model.invoke" in refused.message
    assert "scopes" in attempt(key_of(people.alice, scopes=["read", "write"]), openai.PermissionDeniedError).message
    assert not model.calls


async def _many(gateway_url, key):
    import asyncio

    async with openai.AsyncOpenAI(base_url=f"{gateway_url}/v1", api_key=key, max_retries=0) as client:

        async def one(number):
            text = ""
            async for part in await client.chat.completions.create(model="acme/dates", messages=CHAT, stream=True):
                text += part.choices[0].delta.content or ""
            return text

        return await asyncio.gather(*(one(number) for number in range(40)))


def test_many_streams_at_once(gateway_url, people, key_of, deploy):
    import asyncio

    deploy()
    texts = asyncio.run(_many(gateway_url, key_of(people.alice)))
    assert set(texts) == {"0 é 1 é 2 é 3 é 4 é "}
