"""Home and search. Requests have their own list in home.requests."""

from django.urls import path

from home import views

urlpatterns = [
    path("", views.home, name="home"),
    path("search", views.search_everything, name="search"),
]
