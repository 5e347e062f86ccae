"""What came of a prompt's tests, of the version that is asked for and of the one that is there: shown to those who decide."""

from dataclasses import dataclass
from typing import Any

from governance import quorum
from governance.models import ApprovalRequest, Evidence
from governance.policies.book import Book, suite_of
from governance.policies.prompt_tests import outdated


@dataclass(frozen=True)
class Tested:
    """The newest whole run about one version; `evidence` None: there is none. `stale`: why it is not about what there is now."""

    version: int
    evidence: Evidence | None
    stale: str = ""

    @property
    def passed(self) -> int:
        return int(self.evidence.payload["passed"]) if self.evidence else 0

    @property
    def total(self) -> int:
        return int(self.evidence.payload["total"]) if self.evidence else 0

    @property
    def green(self) -> bool:
        """By the suite's own bar; what the policy asks for stands in its checks."""
        return self.evidence is not None and bool(self.evidence.payload.get("green"))

    @property
    def models(self) -> list[dict[str, Any]]:
        """[{"name", "passed", "total"}]"""
        found = self.evidence.payload.get("by_model") or {} if self.evidence else {}
        return [{"name": name, **counts} for name, counts in sorted(found.items())]

    @property
    def revision(self) -> Any:
        return suite_of(self.evidence).get("revision") if self.evidence else None


def tested(request: ApprovalRequest) -> list[Tested]:
    """The version that is asked for, then the one that it replaces; a constant number of queries. A closed request as it stood."""
    if request.kind != ApprovalRequest.Kind.PROMPT or request.version_number is None:
        return []
    as_of = None if quorum.is_live(request) else quorum.ended_at(request)
    sides = [(request.version_number, request.digest)]
    if request.previous_number and request.previous_digest != request.digest:
        sides.append((request.previous_number, request.previous_digest))
    book = Book(request.team, [digest for _, digest in sides])
    found = []
    for number, digest in sides:
        newest = next(iter(book.about(digest, Evidence.Kind.PROMPT_TESTS, as_of)), None)
        found.append(Tested(number, newest, outdated(newest, book, as_of) if newest else ""))
    return found if any(one.evidence for one in found) else []
