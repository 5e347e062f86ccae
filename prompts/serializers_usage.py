"""Usage as the REST API shows it."""

from typing import Any

from rest_framework import serializers

from prompts.usage import Consumer, Usage


class UsageVersionOut(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    fetches = serializers.IntegerField()
    consumers = serializers.IntegerField(help_text="How many people and service accounts.")
    last_at = serializers.DateTimeField()


class UsageConsumerOut(serializers.Serializer[Any]):
    consumer = serializers.CharField(allow_null=True, help_text="Email; null to whoever is not of the team.")
    kind = serializers.CharField(help_text="person or service.")
    key_id = serializers.CharField(allow_blank=True, help_text="Empty for a browser's session.")
    key_name = serializers.CharField(allow_blank=True)
    version = serializers.IntegerField()
    label = serializers.CharField(  # type: ignore[assignment]  # declared fields are taken off the class
        allow_blank=True, help_text="The label it asked for; empty for a number."
    )
    fetches = serializers.IntegerField()
    last_at = serializers.DateTimeField()


class UsageDayOut(serializers.Serializer[Any]):
    day = serializers.DateField()
    version = serializers.IntegerField()
    fetches = serializers.IntegerField()


class UsageOut(serializers.Serializer[Any]):
    prompt = serializers.CharField()
    since = serializers.DateField(help_text="The first day, UTC.")
    fetches = serializers.IntegerField()
    versions = UsageVersionOut(many=True)
    consumers = UsageConsumerOut(many=True, help_text="Last seen first, 200 at most.")
    more_consumers = serializers.BooleanField()
    days = UsageDayOut(many=True)


def show_consumer(one: Consumer) -> dict[str, Any]:
    return {
        "consumer": one.user.email if one.user else None,
        "kind": one.kind,
        "key_id": one.key_id,
        "key_name": one.key_name,
        "version": one.version,
        "label": one.label,
        "fetches": one.fetches,
        "last_at": one.last_at,
    }


def show_usage(prompt: str, usage: Usage) -> dict[str, Any]:
    return {
        "prompt": prompt,
        "since": usage.since,
        "fetches": usage.fetches,
        "versions": [
            {"version": one.number, "fetches": one.fetches, "consumers": one.consumers, "last_at": one.last_at}
            for one in usage.versions
        ],
        "consumers": [show_consumer(one) for one in usage.consumers],
        "more_consumers": usage.cut,
        "days": [{"day": day, "version": version, "fetches": fetches} for day, version, fetches in usage.days],
    }
