"""REST of teams, people, memberships and keys."""

from django.urls import path

from accounts import api

urlpatterns = [
    path("me", api.MeView.as_view(), name="api-me"),
    path("teams", api.TeamListView.as_view(), name="api-team-list"),
    path("teams/<str:team>/members", api.MemberListView.as_view(), name="api-member-list"),
    path("teams/<str:team>/members/<str:email>/<str:role>", api.MemberView.as_view(), name="api-member"),
    path("teams/<str:team>/service-accounts", api.ServiceAccountListView.as_view(), name="api-service-account-list"),
    path("people", api.PeopleView.as_view(), name="api-person-list"),
    path("keys", api.KeyListView.as_view(), name="api-key-list"),
    path("keys/<str:key_id>", api.KeyView.as_view(), name="api-key"),
]
