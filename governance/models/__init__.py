from governance.models.evidence import Evidence
from governance.models.policies import Policy, PolicyVersion
from governance.models.requests import ApprovalRequest, Attestation
from governance.models.reviews import Delegation, Review
from governance.models.views import SavedView

__all__ = ["ApprovalRequest", "Attestation", "Delegation", "Evidence", "Policy", "PolicyVersion", "Review", "SavedView"]
