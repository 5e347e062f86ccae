"""Pages of requests, included by home.urls."""

from django.urls import path

from home.requests import views

urlpatterns = [
    path("requests/", views.request_list, name="request-list"),
    path("requests/new", views.request_create, name="request-create"),
    path("requests/new/choices", views.request_choices, name="request-choices"),
    path("requests/new/role/<str:team>", views.request_role, name="request-role"),
    path("requests/glass", views.request_glass, name="request-glass"),
    path("requests/<int:request_id>", views.request_detail, name="request-detail"),
    path("requests/<int:request_id>/people", views.request_people, name="request-people"),
    path("requests/<int:request_id>/review", views.request_review, name="request-review"),
    path("requests/<int:request_id>/answer", views.request_answer, name="request-answer"),
    path("requests/<int:request_id>/settle", views.request_settle, name="request-settle"),
    path("requests/<int:request_id>/renew", views.request_renew, name="request-renew"),
    path("requests/<int:request_id>/withdraw", views.request_withdraw, name="request-withdraw"),
    path("settings/delegations/", views.delegation_list, name="delegation-list"),
    path("settings/delegations/<int:delegation_id>/end", views.delegation_end, name="delegation-end"),
]
