"""OpenAI's requests, checked: what they may say, and the error that names the field when they don't."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from serving.engines.errors import ApiError

MAX_CHOICES = 128
MAX_TOP_LOGPROBS = 20


def _stop_strings(value: Any) -> Any:
    stops = [value] if isinstance(value, str) else value
    if stops is None:
        return ()
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise ValueError("must be a string or a list of strings")
    if not all(stops):
        raise ValueError("must not contain an empty string")
    return tuple(stops)


def _bias(value: Any) -> Any:
    if value is None:
        return {}
    try:
        return {int(token): float(bias) for token, bias in value.items()}
    except (AttributeError, TypeError, ValueError):
        raise ValueError("must map token ids to numbers") from None


StopStrings = Annotated[tuple[str, ...], BeforeValidator(_stop_strings)]
Bias = Annotated[dict[int, Annotated[float, Field(ge=-100, le=100)]], BeforeValidator(_bias)]


class _Request(BaseModel):
    """Unknown fields are let through: clients send more than any server knows."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)

    model: str | None = None
    user: Any = None


class StreamOptions(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    include_usage: bool | None = None


class GenerationRequest(_Request):
    """What chat and completions share."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=-1)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    logit_bias: Bias = {}
    seed: int | None = None
    n: int | None = Field(default=None, ge=1, le=MAX_CHOICES)
    stop: StopStrings = ()
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @field_validator("stream_options")
    @classmethod
    def _only_when_streaming(cls, value: StreamOptions | None, info: ValidationInfo) -> StreamOptions | None:
        if value is not None and not info.data.get("stream"):
            raise ValueError("is only allowed when stream is true")
        return value

    @property
    def include_usage(self) -> bool:
        return self.stream_options is not None and bool(self.stream_options.include_usage)


class Message(BaseModel):
    """One chat message; `content` comes out as text."""

    model_config = ConfigDict(strict=True, extra="ignore")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | None = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None

    @field_validator("content", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        if value is None or isinstance(value, str):
            return value
        if not isinstance(value, list):
            raise ValueError("must be a string, a list of parts, or null")
        texts = []
        for at, part in enumerate(value):
            kind = part.get("type") if isinstance(part, dict) else None
            if kind not in ("text", "refusal"):
                raise ValueError(f"part {at} has type {kind!r}; this model reads only parts of type 'text'")
            text = part.get(kind)
            if not isinstance(text, str):
                raise ValueError(f"part {at} has no string in its field {kind!r}")
            texts.append(text)
        return "\n".join(texts)


class ChatRequest(GenerationRequest):
    """POST /v1/chat/completions."""

    messages: list[Message] = Field(min_length=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=MAX_TOP_LOGPROBS)
    response_format: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Any = None

    @field_validator("top_logprobs")
    @classmethod
    def _needs_logprobs(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and not info.data.get("logprobs"):
            raise ValueError("is only allowed when logprobs is true")
        return value

    @field_validator("response_format")
    @classmethod
    def _text_only(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value is not None and value.get("type") != "text":
            raise ValueError(
                f"of type {value.get('type')!r} cannot be guaranteed by this engine; "
                "leave it out, or deploy the model with engine 'vllm'"
            )
        return value


class CompletionRequest(GenerationRequest):
    """POST /v1/completions. `prompt` comes out as a list of texts or token ids."""

    prompt: list[str | list[int]]
    max_tokens: int | None = Field(default=None, ge=0)
    echo: bool | None = None
    logprobs: int | None = Field(default=None, ge=0, le=MAX_TOP_LOGPROBS)
    suffix: str | None = None
    best_of: int | None = Field(default=None, ge=1, le=MAX_CHOICES)

    @field_validator("prompt", mode="before")
    @classmethod
    def _prompts(cls, value: Any) -> Any:
        return _texts_or_ids(value)

    @field_validator("suffix")
    @classmethod
    def _no_suffix(cls, value: str | None) -> str | None:
        if value:
            raise ValueError("is not supported by this engine; leave it out")
        return value

    @field_validator("best_of")
    @classmethod
    def _all_of(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and value != (info.data.get("n") or 1):
            raise ValueError("other than n is not supported by this engine; leave it out")
        return value


class EmbeddingRequest(_Request):
    """POST /v1/embeddings. `input` comes out as a list of texts or token ids."""

    input: list[str | list[int]]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = Field(default=None, ge=1)

    @field_validator("input", mode="before")
    @classmethod
    def _inputs(cls, value: Any) -> Any:
        inputs = _texts_or_ids(value)
        if not all(inputs):
            raise ValueError("must not contain an empty string or an empty list")
        return inputs


def _texts_or_ids(value: Any) -> list[str | list[int]]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and value:
        if all(isinstance(item, str) for item in value):
            return value
        if _are_ids(value):
            return [value]
        if all(isinstance(item, list) and item and _are_ids(item) for item in value):
            return value
    raise ValueError("must be a string, a list of strings, a list of token ids, or a list of lists of token ids")


def _are_ids(value: list[Any]) -> bool:
    return all(isinstance(item, int) and not isinstance(item, bool) and item >= 0 for item in value)


Request = TypeVar("Request", bound=_Request)


def parse_request(kind: type[Request], body: bytes) -> Request:
    """A request out of its body. Raises ApiError (400) whose `param` is the field at fault."""
    try:
        data = json.loads(body)
    except ValueError as error:
        raise ApiError(f"the body is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise ApiError("the body must be a JSON object")
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        param = _path(first["loc"])
        if first["type"] == "missing":
            raise ApiError(f"you must provide the parameter {param!r}", param=param) from None
        message = first["msg"].removeprefix("Value error, ")
        raise ApiError(f"{param}: {message}", param=param) from None


def _path(location: tuple[int | str, ...]) -> str:
    path = str(location[0])
    for part in location[1:]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path
