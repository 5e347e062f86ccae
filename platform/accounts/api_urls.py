"""REST of people, teams, roles, groups, keys and sessions, and of who can do what."""

from django.urls import path

from accounts.api import access, grants, keys, people

urlpatterns = [
    path("me", people.MeView.as_view(), name="api-me"),
    path("permissions", grants.PermissionTableView.as_view(), name="api-permission-list"),
    path("teams", people.TeamListView.as_view(), name="api-team-list"),
    path("teams/<str:team>/members", grants.MemberListView.as_view(), name="api-member-list"),
    path("teams/<str:team>/members/<str:email>/<str:role>", grants.MemberView.as_view(), name="api-member"),
    path("teams/<str:team>/grants", grants.GrantListView.as_view(), name="api-grant-list"),
    path("teams/<str:team>/grants/<int:grant_id>", grants.GrantView.as_view(), name="api-grant"),
    path("teams/<str:team>/roles", grants.RoleListView.as_view(), name="api-role-list"),
    path("teams/<str:team>/roles/<str:slug>", grants.RoleView.as_view(), name="api-role"),
    path("teams/<str:team>/groups", grants.GroupListView.as_view(), name="api-group-list"),
    path("teams/<str:team>/groups/<str:slug>", grants.GroupView.as_view(), name="api-group"),
    path(
        "teams/<str:team>/groups/<str:slug>/members", grants.GroupMemberListView.as_view(), name="api-group-member-list"
    ),
    path(
        "teams/<str:team>/groups/<str:slug>/members/<str:email>",
        grants.GroupMemberView.as_view(),
        name="api-group-member",
    ),
    path("teams/<str:team>/service-accounts", people.ServiceAccountListView.as_view(), name="api-service-account-list"),
    path("people", people.PeopleView.as_view(), name="api-person-list"),
    path("people/<int:person_id>/sessions", access.PersonSessionListView.as_view(), name="api-person-session-list"),
    path("keys", keys.KeyListView.as_view(), name="api-key-list"),
    path("keys/<str:key_id>", keys.KeyView.as_view(), name="api-key"),
    path("keys/<str:key_id>/rotate", keys.KeyRotateView.as_view(), name="api-key-rotate"),
    path("access/who", access.WhoView.as_view(), name="api-access-who"),
    path("access/what", access.WhatView.as_view(), name="api-access-what"),
    path("sessions", access.SessionListView.as_view(), name="api-session-list"),
    path("sessions/<int:session_id>", access.SessionView.as_view(), name="api-session"),
]
