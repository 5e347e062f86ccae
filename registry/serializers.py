"""The bodies that the REST API takes and gives, as the OpenAPI document describes them."""

from rest_framework import serializers

from registry import gates
from registry.models import AccessRequest, Asset, Version

GATED = "Its files need file.download on it, which can be asked for; page and card are for whoever sees it."
VISIBILITY = "Gated ones: 'site' shows the card to everybody who can sign in, so that they can ask. Needs policy.edit."
RESTRICTED = "Each download of its files, and each page of its rows, is an event in the ledger."


class In(serializers.Serializer[dict[str, object]]):
    pass


class AssetIn(In):
    team = serializers.CharField(max_length=96, help_text="The team's name.")
    name = serializers.CharField(
        max_length=200, help_text="Lower-case letters, digits, '.', '_' and '-'; it stands in addresses: team/name."
    )
    description = serializers.CharField(
        required=False, allow_blank=True, default="", help_text="What it is, in a line or two."
    )
    task = serializers.ChoiceField(
        Asset.Task.choices, required=False, allow_blank=True, default="", help_text="Models only, and needed there."
    )
    restricted = serializers.BooleanField(required=False, default=False, help_text=RESTRICTED)
    gated = serializers.BooleanField(required=False, default=False, help_text=GATED)
    visibility = serializers.ChoiceField(
        Asset.Visibility.choices, required=False, default=Asset.Visibility.TEAM, help_text=VISIBILITY
    )


class AssetPatch(In):
    name = serializers.CharField(
        required=False, max_length=96, help_text="Another name; the old address answers 404 from then on."
    )
    description = serializers.CharField(required=False, allow_blank=True, help_text="What it is, in a line or two.")
    task = serializers.ChoiceField(Asset.Task.choices, required=False, help_text="Models only.")
    restricted = serializers.BooleanField(required=False, help_text=f"{RESTRICTED} Lifting it needs policy.edit.")
    gated = serializers.BooleanField(required=False, help_text=f"{GATED} Lifting it needs policy.edit.")
    visibility = serializers.ChoiceField(Asset.Visibility.choices, required=False, help_text=VISIBILITY)


class TagIn(In):
    value = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        trim_whitespace=False,
        help_text="At most 100,000 characters; without it the tag is a word.",
    )


class TagOut(In):
    key = serializers.CharField()
    value = serializers.CharField()


class ReasonIn(In):
    reason = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=2000, help_text="Why; kept in the ledger."
    )


class RestoreIn(In):
    name = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=96, help_text="Another name, where its own was taken."
    )


class VersionPatch(In):
    description = serializers.CharField(allow_blank=True, help_text="What it is; changes at any time.")


class CardIn(In):
    markdown = serializers.CharField(
        allow_blank=True, trim_whitespace=False, help_text="README.md: YAML front matter, then Markdown."
    )


class CardOut(In):
    markdown = serializers.CharField()
    card = serializers.DictField(
        help_text="intended_use, limits, training_data, licence, task, library, languages, base_model, datasets, metrics, tags, results."
    )
    missing = serializers.ListField(child=serializers.CharField(), help_text="What a complete card would say besides.")


class DeletedOut(In):
    id = serializers.IntegerField()
    kind = serializers.CharField(help_text="model, dataset or version")
    label = serializers.CharField()  # type: ignore[assignment]  # a field, which the metaclass takes out of the class
    deleted_at = serializers.DateTimeField()
    purged_from = serializers.DateField(help_text="From this day on its files are gone for ever.")


class AliasAtOut(In):
    alias = serializers.CharField()
    at = serializers.DateTimeField()
    number = serializers.IntegerField(allow_null=True, help_text="Version number; null: it pointed at none then.")
    digest = serializers.CharField(allow_null=True)
    moved_at = serializers.DateTimeField(allow_null=True, help_text="When it was put there; null: never yet.")
    moved_by = serializers.EmailField(allow_null=True)
    request = serializers.IntegerField(allow_null=True, help_text="The approved request, where one was needed.")
    reason = serializers.CharField()
    until = serializers.DateTimeField(allow_null=True, help_text="The next move; null: it is there still.")


class AssetVersionIn(In):
    message = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        help_text="What is new, in a line or two (at most 2000 characters).",
    )
    source_run = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=None,
        min_value=1,
        max_value=2**63 - 1,
        help_text="Id of the run that made the files.",
    )


class AliasIn(In):
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1, help_text="Number of a registered version.")
    reason = serializers.CharField(required=False, allow_blank=True, default="", help_text="Why; kept in the history.")


class AliasRemoval(In):
    reason = serializers.CharField(required=False, allow_blank=True, default="", help_text="Why; kept in the history.")


class AssetOut(In):
    team = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(Asset.Kind.choices)
    description = serializers.CharField()
    task = serializers.ChoiceField(Asset.Task.choices, allow_null=True)
    restricted = serializers.BooleanField(help_text=RESTRICTED)
    gated = serializers.BooleanField(help_text=GATED)
    visibility = serializers.ChoiceField(Asset.Visibility.choices, help_text=VISIBILITY)
    tags = serializers.DictField(child=serializers.CharField(), help_text="Value by key; '' for a plain word.")
    archived_at = serializers.DateTimeField(allow_null=True)
    latest_version = serializers.IntegerField(allow_null=True, help_text="Highest number, drafts included.")
    aliases = serializers.DictField(child=serializers.IntegerField(), help_text="Version number by alias.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField(help_text="Last change to it, its versions, files or aliases.")
    updated_by = serializers.EmailField()


class AssetVersionOut(In):
    asset = serializers.CharField(help_text="team/name")
    number = serializers.IntegerField()
    state = serializers.ChoiceField(Version.State.choices)
    digest = serializers.CharField(
        allow_null=True, help_text="'sha256:…' over the canonical manifest; null for a draft."
    )
    message = serializers.CharField()
    description = serializers.CharField()
    tags = serializers.DictField(child=serializers.CharField(), help_text="Value by key; '' for a plain word.")
    branch = serializers.CharField()
    commit = serializers.CharField(allow_null=True, help_text="What git-like clients call it; null for a draft.")
    archived_at = serializers.DateTimeField(allow_null=True)
    size = serializers.IntegerField(help_text="Bytes of all files.")
    facts = serializers.DictField(
        help_text="What the files say of themselves: architecture, parameters, rows, the card's front matter."
    )
    source_run = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()
    created_by = serializers.EmailField()
    registered_at = serializers.DateTimeField(allow_null=True)
    registered_by = serializers.EmailField(allow_null=True)


class FileOut(In):
    path = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")
    sha256 = serializers.CharField(help_text="64 hexadecimal digits.")


class FileIn(In):
    path = serializers.CharField(max_length=1000, help_text="Where it goes in the version.")
    sha256 = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=64,
        help_text="Of bytes that the team holds (64 hex digits).",
    )
    upload = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=40,
        help_text="Id of a complete upload of yours, instead.",
    )


class AliasOut(In):
    alias = serializers.CharField()
    number = serializers.IntegerField()
    digest = serializers.CharField()
    updated_at = serializers.DateTimeField()
    updated_by = serializers.EmailField()
    version = AssetVersionOut()


class AliasMoveOut(In):
    alias = serializers.CharField()
    before = serializers.IntegerField(allow_null=True, help_text="Version number; null: the alias was new.")
    after = serializers.IntegerField(allow_null=True, help_text="Version number; null: the alias was removed.")
    request = serializers.IntegerField(allow_null=True, help_text="The approved request, where one was needed.")
    reason = serializers.CharField()
    moved_at = serializers.DateTimeField()
    moved_by = serializers.EmailField()


class RowsOut(In):
    results = serializers.ListField(child=serializers.DictField())
    next = serializers.CharField(allow_null=True, help_text="Cursor of the next page.")
    total = serializers.IntegerField(help_text="Rows in this version.")


class AssetSearchPage(In):
    results = AssetOut(many=True)
    next = serializers.CharField(allow_null=True, help_text="Cursor of the next page; null on the last.")
    corrected = serializers.DictField(
        child=serializers.CharField(),
        help_text="Word -> the one that was taken for it, where nothing fitted what was typed.",
    )


class FacetValueOut(In):
    value = serializers.CharField()
    title = serializers.CharField()
    count = serializers.IntegerField()


class FacetsOut(In):
    total = serializers.IntegerField()
    more = serializers.BooleanField(help_text="There are more than these: the counts are of the first of them.")
    facets = serializers.DictField(child=FacetValueOut(many=True), help_text="By facet, the most frequent first.")


class AccessAsk(In):
    reason = serializers.CharField(max_length=2000, help_text="What you need the files for.")


class AccessDecision(In):
    verdict = serializers.ChoiceField(["grant", "refuse"])
    until = serializers.DateTimeField(required=False, allow_null=True, default=None, help_text="When it ends.")
    days = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=gates.MAX_DAYS,
        help_text=f"Instead of `until`; {gates.DEFAULT_DAYS} without either.",
    )  # fmt: skip
    answer = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=2000, help_text="For the person; a refusal needs one."
    )


class AccessRequestOut(In):
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(Asset.Kind.choices)
    asset = serializers.CharField(help_text="team/name")
    person = serializers.EmailField()
    reason = serializers.CharField()
    state = serializers.ChoiceField(AccessRequest.State.choices)
    holds = serializers.BooleanField(help_text="Whether what was given still stands.")
    until = serializers.DateTimeField(allow_null=True)
    answer = serializers.CharField()
    asked_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    decided_by = serializers.EmailField(allow_null=True)


class ProblemOut(In):
    """RFC 9457 problem details."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = serializers.DictField(  # type: ignore[assignment]  # a field, which the metaclass takes out of the class
        child=serializers.ListField(child=serializers.CharField()), required=False
    )


def page_of(item: type[In]) -> type[In]:
    """The schema of a keyset page of these."""
    name = f"{item.__name__.removesuffix('Out')}Page"
    return type(
        name,
        (In,),
        {
            "results": item(many=True),
            "next": serializers.CharField(allow_null=True, help_text="Cursor of the next page; null on the last."),
        },
    )
