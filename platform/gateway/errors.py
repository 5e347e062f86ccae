"""Errors in OpenAI's shape: {"error": {"message", "type", "param", "code"}}."""

import json
from collections.abc import Mapping


class ApiError(Exception):
    """An answer that is an error. `retry_after_s` asks the client to come back; `final` keeps it from trying again by itself."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str = "",
        retry_after_s: int | None = None,
        final: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.kind = kind or ("server_error" if status >= 500 else "invalid_request_error")
        self.headers = dict(headers or {})
        if retry_after_s is not None:
            self.headers["retry-after"] = str(retry_after_s)
        if final:
            self.headers["x-should-retry"] = "false"

    @property
    def body(self) -> bytes:
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return json.dumps({"error": error}).encode()


def wrong_key(message: str = "Incorrect API key provided. Make one under Settings, API keys.") -> ApiError:
    return ApiError(401, message, code="invalid_api_key", headers={"www-authenticate": 'Bearer realm="countersign"'})


def no_such_model(model: str, hint: str = "") -> ApiError:
    message = f"The model '{model[:200]}' does not exist or you do not have access to it.{hint}"
    return ApiError(404, message, code="model_not_found", param="model")


def not_permitted(permission: str, why: str) -> ApiError:
    message = f"This needs the permission {permission}, {why}."
    return ApiError(403, message, code="permission_denied", kind="permission_error")
