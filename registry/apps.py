from django.apps import AppConfig


class RegistryConfig(AppConfig):
    name = "registry"

    def ready(self) -> None:
        from governance.subjects import announce
        from registry.models import Asset

        announce("model", Asset)
        announce("dataset", Asset)
