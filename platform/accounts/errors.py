"""The errors that actions raise. Each door shows them in its own shape; the text is for the person who reads it."""

from collections.abc import Mapping, Sequence


class Problem(Exception):
    """Something the caller can put right. `errors` maps a field's name to what is wrong with it and the remedy."""

    status = 400
    code = "invalid"
    title = "That can't be done"

    def __init__(
        self, detail: str, *, errors: Mapping[str, Sequence[str]] | None = None, link: str = "", code: str = ""
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = {field: list(texts) for field, texts in (errors or {}).items()}
        self.link = link
        if code:
            self.code = code


class Invalid(Problem):
    """A field of the input is wrong: Invalid('name', 'Use letters…')."""

    title = "Invalid input"

    def __init__(self, field: str, detail: str, *, code: str = "") -> None:
        super().__init__(detail, errors={field: [detail]}, code=code)


class Unauthenticated(Problem):
    status = 401
    code = "unauthenticated"
    title = "Sign in or send a key"


class Forbidden(Problem):
    """The caller sees the thing but may not do this to it; `permission` is what is missing."""

    status = 403
    code = "permission_denied"
    title = "Permission denied"

    def __init__(self, detail: str, *, permission: str = "", on: object = None, code: str = "", link: str = "") -> None:
        super().__init__(detail, code=code, link=link)
        self.permission = permission
        self.on = on  # what it was refused on, for the ledger


class NotFound(Problem):
    """It does not exist, or the caller may not know that it does."""

    status = 404
    code = "not_found"
    title = "Not found"


class Conflict(Problem):
    """The state of the thing does not allow this now."""

    status = 409
    code = "conflict"
    title = "Conflict"


class TooLarge(Problem):
    status = 413
    code = "too_large"
    title = "Too large"


class ApprovalRequired(Problem):
    """A protected stage: nothing gets there without an approval of exactly these bytes."""

    status = 403
    code = "approval_required"
    title = "Approval required"


class Unavailable(Problem):
    status = 503
    code = "unavailable"
    title = "Unavailable"
