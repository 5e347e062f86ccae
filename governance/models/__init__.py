from governance.models.evidence import Evidence
from governance.models.policies import Policy, PolicyVersion
from governance.models.requests import ApprovalRequest, Attestation, Review

__all__ = ["ApprovalRequest", "Attestation", "Evidence", "Policy", "PolicyVersion", "Review"]
