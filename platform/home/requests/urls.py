"""Pages of requests, included by home.urls."""

from django.urls import path

from home.requests import views

urlpatterns = [
    path("requests/", views.request_list, name="request-list"),
    path("requests/new", views.request_create, name="request-create"),
    path("requests/<int:request_id>", views.request_detail, name="request-detail"),
    path("requests/<int:request_id>/review", views.request_review, name="request-review"),
    path("requests/<int:request_id>/withdraw", views.request_withdraw, name="request-withdraw"),
]
