"""Pages of settings: one's own account, the team, and the whole site."""

from django.urls import path

from accounts.views import own, site, team

urlpatterns = [
    path("settings/", own.profile, name="settings-profile"),
    path("settings/keys/", own.keys, name="settings-keys"),
    path("settings/keys/<str:key_id>/revoke", own.key_revoke, name="key-revoke"),
    path("settings/team/", team.team_detail, name="settings-team"),
    path("settings/team/<str:team>/members", team.role_grant, name="role-grant"),
    path("settings/team/<str:team>/members/<str:email>/<str:role>/revoke", team.role_revoke, name="role-revoke"),
    path("settings/team/<str:team>/service-accounts", team.service_account_create, name="service-account-create"),
    path(
        "settings/team/<str:team>/service-accounts/<str:email>/keys", team.service_key_create, name="service-key-create"
    ),
    path("settings/people/", site.people, name="settings-people"),
    path("settings/people/new", site.person_create, name="person-create"),
    path("settings/people/<int:person_id>/activate", site.person_activate, name="person-activate"),
    path("settings/teams/new", site.team_create, name="team-create"),
]
