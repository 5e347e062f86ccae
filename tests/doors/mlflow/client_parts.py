"""Large artifacts in MLflow's own environment: parts that its unmodified client puts into a bucket, and fetches by range."""

import hashlib
import os
import tempfile
from unittest.mock import patch

import mlflow
from mlflow.store.artifact import http_artifact_repo

MIB = 1 << 20


def track_large(size):
    """A file up and down, counting what went in parts; then again where one part can't be put."""
    repo = http_artifact_repo.HttpArtifactRepository
    chosen = {
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "true", "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "true",
        "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": "0", "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": str(5 * MIB),
        "MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE": str(4 * MIB),
    }  # fmt: skip
    put, fetch = [], []

    def upload(*args, **kwargs):
        put.append(kwargs["size"])
        return real_put(*args, **kwargs)

    def download(*args, **kwargs):
        fetch.append(kwargs["range_start"])
        return real_fetch(*args, **kwargs)

    def refuse(*args, **kwargs):
        raise ConnectionError("gone")

    real_put, real_fetch = repo._upload_part, http_artifact_repo.download_chunk
    content = os.urandom(size)
    with patch.dict(os.environ, chosen), tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/large.bin", "wb") as stream:
            stream.write(content)
        open(f"{folder}/empty.bin", "wb").close()
        mlflow.set_experiment(experiment_id="0")
        with mlflow.start_run() as run:
            with patch.object(repo, "_upload_part", staticmethod(upload)):
                mlflow.log_artifact(f"{folder}/large.bin", "deep/er")
                mlflow.log_artifact(f"{folder}/large.bin", "deep/er")
                mlflow.log_artifact(f"{folder}/empty.bin")
            with patch.object(http_artifact_repo, "download_chunk", download):
                down = mlflow.artifacts.download_artifacts(
                    run_id=run.info.run_id, artifact_path="deep/er/large.bin", dst_path=f"{folder}/down"
                )
                empty = mlflow.artifacts.download_artifacts(
                    run_id=run.info.run_id, artifact_path="empty.bin", dst_path=f"{folder}/down"
                )
            with open(down, "rb") as stream:
                same = hashlib.sha256(stream.read()).digest() == hashlib.sha256(content).digest()
            failed = ""
            with patch.object(repo, "_upload_part", staticmethod(refuse)):
                try:
                    mlflow.log_artifact(f"{folder}/large.bin", "broken")
                except Exception as error:
                    failed = str(error)
        return {
            "parts": len(put), "ranges": len(fetch), "same": same, "empty": os.path.getsize(empty), "failed": failed,
            "sha256": hashlib.sha256(content).hexdigest(),
        }  # fmt: skip
