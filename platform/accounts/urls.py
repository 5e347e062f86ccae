"""Pages of settings: one's own account, the team, and the whole site."""

from django.urls import path

from accounts.views import access, own, roles, site, team

urlpatterns = [
    path("settings/", own.profile, name="settings-profile"),
    path("settings/keys/", own.keys, name="settings-keys"),
    path("settings/keys/<str:key_id>/revoke", own.key_revoke, name="key-revoke"),
    path("settings/keys/<str:key_id>/rotate", own.key_rotate, name="key-rotate"),
    path("settings/sessions/", own.session_list, name="settings-sessions"),
    path("settings/sessions/revoke-others", own.session_revoke_others, name="session-revoke-others"),
    path("settings/sessions/<int:session_id>/revoke", own.session_revoke, name="session-revoke"),
    path("settings/team/", team.team_detail, name="settings-team"),
    path("settings/team/<str:team>/members", team.role_grant, name="role-grant"),
    path("settings/team/<str:team>/members/<str:email>/<str:role>/revoke", team.role_revoke, name="role-revoke"),
    path("settings/team/<str:team>/service-accounts", team.service_account_create, name="service-account-create"),
    path("settings/team/<str:team>/grants/<int:grant_id>/revoke", team.grant_revoke, name="grant-revoke"),
    path("settings/team/<str:team>/roles/", roles.role_list, name="role-list"),
    path("settings/team/<str:team>/roles/<str:slug>", roles.role_edit, name="role-edit"),
    path("settings/team/<str:team>/roles/<str:slug>/archive", roles.role_archive, name="role-archive"),
    path("settings/team/<str:team>/groups/", roles.group_list, name="group-list"),
    path("settings/team/<str:team>/groups/<str:slug>/delete", roles.group_delete, name="group-delete"),
    path("settings/team/<str:team>/groups/<str:slug>/members", roles.group_member_add, name="group-member-add"),
    path(
        "settings/team/<str:team>/groups/<str:slug>/members/<str:email>/remove",
        roles.group_member_remove,
        name="group-member-remove",
    ),
    path(
        "settings/team/<str:team>/service-accounts/<str:email>/keys", team.service_key_create, name="service-key-create"
    ),
    path("settings/people/", site.people, name="settings-people"),
    path("settings/people/new", site.person_create, name="person-create"),
    path("settings/people/<int:person_id>", site.person_detail, name="person-detail"),
    path("settings/people/<int:person_id>/sign-out", site.person_sign_out, name="person-sign-out"),
    path("settings/people/<int:person_id>/activate", site.person_activate, name="person-activate"),
    path("access/who", access.who_page, name="access-who"),
    path("access/what", access.what_page, name="access-what"),
    path("settings/teams/new", site.team_create, name="team-create"),
]
