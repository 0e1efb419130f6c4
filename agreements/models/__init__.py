"""The nouns of the register."""

from .agency import Agency, AgencyKind, AgencyName, AgencyNameKind
from .agreement import (
    Agreement,
    DetailLevel,
    FormerSlug,
    InstrumentType,
    LegalNature,
    TextAvailability,
    WithdrawalKind,
)
from .columns import meaning
from .derived import Digest, Standing
from .evidence import Evidence, EvidenceTopic, Source, SourceKind
from .participation import (
    Capacity,
    Participation,
    ParticipationRole,
    Signatory,
    SigningAct,
)
from .provision import Direction, Outcome, Provision
from .record import Authorship, Edition, PendingImport, Reminder, Revision, SearchDocument
from .timeline import Milestone, Relation, RelationKind
from .vocabulary import CooperationArea, ProductCategory

__all__ = [
    "Agency",
    "AgencyKind",
    "AgencyName",
    "AgencyNameKind",
    "Agreement",
    "Authorship",
    "Capacity",
    "CooperationArea",
    "DetailLevel",
    "Digest",
    "Direction",
    "Edition",
    "Evidence",
    "EvidenceTopic",
    "FormerSlug",
    "InstrumentType",
    "LegalNature",
    "Milestone",
    "Outcome",
    "Participation",
    "ParticipationRole",
    "PendingImport",
    "ProductCategory",
    "Provision",
    "Relation",
    "RelationKind",
    "Reminder",
    "Revision",
    "SearchDocument",
    "Signatory",
    "SigningAct",
    "Source",
    "SourceKind",
    "Standing",
    "TextAvailability",
    "WithdrawalKind",
    "meaning",
]
