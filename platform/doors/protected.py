"""What every foreign door tells where an alias is protected: the move was asked for, and where its request is."""

from django.conf import settings

from governance import gate
from governance.models import ApprovalRequest


def asked(request: ApprovalRequest) -> str:
    """What the client's user reads."""
    problem = gate.asked(request)
    return f"{problem.detail} See {settings.SITE_URL}{problem.link}"
