from django.apps import AppConfig


class ServingConfig(AppConfig):
    name = "serving"

    def ready(self) -> None:
        from governance.subjects import announce
        from serving.models import Deployment

        announce("deployment", Deployment)
