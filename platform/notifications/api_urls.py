"""REST of webhooks and notices."""

from django.urls import path

from notifications import api

urlpatterns = [
    path("teams/<str:team>/webhooks", api.WebhookListView.as_view(), name="api-webhook-list"),
    path("webhooks/event-types", api.EventTypesView.as_view(), name="api-webhook-event-types"),
    path("webhooks/<int:webhook_id>", api.WebhookView.as_view(), name="api-webhook"),
    path("webhooks/<int:webhook_id>/secret", api.WebhookSecretView.as_view(), name="api-webhook-secret"),
    path("webhooks/<int:webhook_id>/test", api.WebhookTestView.as_view(), name="api-webhook-test"),
    path("webhooks/<int:webhook_id>/deliveries", api.DeliveryListView.as_view(), name="api-delivery-list"),
    path(
        "webhooks/<int:webhook_id>/deliveries/resend", api.DeliveriesResendView.as_view(), name="api-deliveries-resend"
    ),
    path("deliveries/<int:delivery_id>", api.DeliveryView.as_view(), name="api-delivery"),
    path("deliveries/<int:delivery_id>/resend", api.DeliveryResendView.as_view(), name="api-delivery-resend"),
    path("notices", api.NoticeListView.as_view(), name="api-notice-list"),
    path("notices/read", api.NoticesReadView.as_view(), name="api-notices-read"),
    path("notices/preferences", api.PreferencesView.as_view(), name="api-notice-preferences"),
]
