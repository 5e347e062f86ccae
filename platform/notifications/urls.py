"""Pages: a team's webhooks, notices, and how one gets them."""

from django.urls import path

from notifications.views import notices, webhooks

urlpatterns = [
    path("settings/webhooks/", webhooks.webhook_list, name="webhook-list"),
    path("settings/webhooks/new", webhooks.webhook_create, name="webhook-create"),
    path("settings/webhooks/<int:webhook_id>/", webhooks.webhook_detail, name="webhook-detail"),
    path("settings/webhooks/<int:webhook_id>/edit", webhooks.webhook_edit, name="webhook-edit"),
    path("settings/webhooks/<int:webhook_id>/enable", webhooks.webhook_enable, name="webhook-enable"),
    path("settings/webhooks/<int:webhook_id>/secret", webhooks.webhook_rotate, name="webhook-rotate"),
    path("settings/webhooks/<int:webhook_id>/remove", webhooks.webhook_remove, name="webhook-remove"),
    path("settings/webhooks/<int:webhook_id>/test", webhooks.webhook_test, name="webhook-test"),
    path("settings/webhooks/<int:webhook_id>/resend", webhooks.deliveries_resend, name="deliveries-resend"),
    path("settings/webhooks/deliveries/<int:delivery_id>/", webhooks.delivery_detail, name="delivery-detail"),
    path("settings/webhooks/deliveries/<int:delivery_id>/resend", webhooks.delivery_resend, name="delivery-resend"),
    path("settings/notifications/", notices.preferences, name="settings-notifications"),
    path("notices/", notices.notice_list, name="notice-list"),
    path("notices/read", notices.notices_read, name="notices-read"),
    path("notices/<int:notice_id>/", notices.notice_open, name="notice-open"),
]
