"""huggingface_hub as it comes, driven through what its documentation shows."""

import pytest

from registry.models import Asset, Version
from tests.registry.conftest import model_files

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(tmp_path):
    """A folder with a small model whose files all go in the commit's body."""
    there = tmp_path / "model"
    for path, content in {**model_files(**{"model.safetensors": None}), "sub/dir/notes.txt": b"a note\n"}.items():
        (there / path).parent.mkdir(parents=True, exist_ok=True)
        (there / path).write_bytes(content)
    return there


def test_repositories_are_made_described_and_listed(hub, cast):
    said = hub(
        cast.alice,
        """
        print(whoami()["name"], [org["name"] for org in whoami()["orgs"]])
        print(api.create_repo("acme/tiny"))
        print(api.create_repo("acme/tiny", exist_ok=True).repo_id)
        print(api.create_repo("acme/rows", repo_type="dataset").repo_type)
        try:
            api.create_repo("acme/tiny")
        except HfHubHTTPError as error:
            print(error.response.status_code)
        info = api.model_info("acme/tiny")
        print(info.id, len(info.sha), info.private, info.siblings)
        print([model.id for model in api.list_models(search="tin")], [d.id for d in api.list_datasets(author="acme")])
        print(api.repo_exists("acme/tiny"), api.repo_exists("acme/none"), api.repo_exists("other/tiny"))
        print(api.list_repo_refs("acme/tiny").branches[0].target_commit == info.sha, api.list_repo_commits("acme/tiny"))
        """,
    ).splitlines()
    assert said[0] == "acme ['acme']"
    assert said[1].endswith("/hf/acme/tiny")
    assert said[2:5] == ["acme/tiny", "dataset", "409"]
    assert said[5] == "acme/tiny 40 True []"
    assert said[6] == "['acme/tiny'] ['acme/rows']"
    assert said[7:] == ["True False False", "True []"]


def test_a_folder_becomes_a_version_and_comes_back(hub, cast, folder):
    said = hub(
        cast.alice,
        f"""
        api.create_repo("acme/tiny")
        first = api.upload_folder(repo_id="acme/tiny", folder_path={str(folder)!r}, commit_message="first")
        print(len(first.oid), first.commit_url)
        print(sorted(api.list_repo_files("acme/tiny")))
        print([(e.path, type(e).__name__) for e in api.list_repo_tree("acme/tiny", "sub")])
        again = api.upload_folder(repo_id="acme/tiny", folder_path={str(folder)!r}, commit_message="again")
        print(again.oid == first.oid)
        path = hf_hub_download("acme/tiny", "sub/dir/notes.txt")
        print(open(path).read().strip())
        print(sorted(p.name for p in __import__("pathlib").Path(snapshot_download("acme/tiny")).rglob("*") if p.is_file()))
        print(api.verify_repo_checksums("acme/tiny", local_dir={str(folder)!r}).checked_count)
        second = api.upload_file(path_or_fileobj=b"more", path_in_repo="more.txt", repo_id="acme/tiny")
        api.delete_file("more.txt", "acme/tiny")
        api.delete_folder("sub", "acme/tiny")
        print([c.title for c in api.list_repo_commits("acme/tiny")])
        print(api.file_exists("acme/tiny", "more.txt"), api.file_exists("acme/tiny", "more.txt", revision=second.oid))
        print([p.path for p in api.get_paths_info("acme/tiny", ["config.json", "sub", "none"], revision="v1", expand=True)])
        try:
            api.create_commit("acme/tiny", [CommitOperationAdd("x.txt", b"x")], commit_message="x", parent_commit=first.oid)
        except HfHubHTTPError as error:
            print(error.response.status_code)
        """,
    ).splitlines()
    assert said[0].startswith("40 ") and "/hf/acme/tiny/commit/" in said[0]
    assert said[1] == str(
        sorted(["README.md", "config.json", "sub/dir/notes.txt", "tokenizer.json", "tokenizer_config.json"])
    )
    assert said[2] == "[('sub/dir', 'RepoFolder')]"
    assert said[3] == "True"
    assert said[4] == "a note"
    assert "config.json" in said[5] and "notes.txt" in said[5]
    assert said[6] == "5"
    assert said[7].startswith("['Delete folder") and "first" in said[7]
    assert said[8] == "False True"
    assert said[9] == "['config.json', 'sub']"
    assert said[10] == "412"
    versions = Version.objects.filter(asset__name="tiny").order_by("number")
    assert [version.branch for version in versions] == ["main"] * 4
    assert versions[1].parent == versions[0]


def test_tags_and_branches(hub, cast, folder):
    said = hub(
        cast.alice,
        f"""
        api.create_repo("acme/tiny")
        first = api.upload_folder(repo_id="acme/tiny", folder_path={str(folder)!r})
        api.create_tag("acme/tiny", tag="candidate", tag_message="the first")
        api.create_tag("acme/tiny", tag="candidate", exist_ok=True)
        try:
            api.create_tag("acme/tiny", tag="candidate")
        except HfHubHTTPError as error:
            print(error.response.status_code)
        api.create_branch("acme/tiny", branch="try", revision="candidate")
        on = api.upload_file(path_or_fileobj=b"on the branch", path_in_repo="b.txt", repo_id="acme/tiny", revision="try")
        print(api.file_exists("acme/tiny", "b.txt"), api.file_exists("acme/tiny", "b.txt", revision="try"))
        refs = api.list_repo_refs("acme/tiny")
        print(sorted(b.name for b in refs.branches), [t.name for t in refs.tags], refs.tags[0].target_commit == first.oid)
        print(api.model_info("acme/tiny", revision="try").sha == on.oid, api.model_info("acme/tiny", revision="2").sha == on.oid)
        print(len(api.list_repo_commits("acme/tiny", revision="try")), len(api.list_repo_commits("acme/tiny")))
        api.delete_tag("acme/tiny", tag="candidate")
        api.delete_branch("acme/tiny", branch="try")
        try:
            api.model_info("acme/tiny", revision="try")
        except RevisionNotFoundError:
            print("no such revision")
        print(api.model_info("acme/tiny", revision=on.oid).sha == on.oid)
        """,
    ).splitlines()
    assert said == [
        "409",
        "False True",
        "['main', 'try'] ['candidate'] True",
        "True True",
        "2 1",
        "no such revision",
        "True",
    ]


def test_a_protected_tag_asks_for_an_approval_and_says_where(hub, cast, folder):
    said = hub(
        cast.alice,
        f"""
        api.create_repo("acme/tiny")
        api.upload_folder(repo_id="acme/tiny", folder_path={str(folder)!r})
        try:
            api.create_tag("acme/tiny", tag="production")
        except HfHubHTTPError as error:
            print(error.response.status_code, error)
        """,
    )
    assert said.startswith("403") and "/requests/" in said and "protected" in said
    assert not Asset.objects.get(name="tiny").aliases.exists()


def test_what_may_not_be_seen_is_not_there(hub, cast, folder):
    code = """
        for call in (lambda: api.model_info("acme/tiny"), lambda: hf_hub_download("acme/tiny", "config.json"),
                     lambda: api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id="acme/tiny")):
            try:
                call()
            except RepositoryNotFoundError:
                print("not there")
        """
    hub(
        cast.alice,
        f"""
        api.create_repo("acme/tiny")
        api.upload_folder(repo_id="acme/tiny", folder_path={str(folder)!r})
        """,
    )
    assert hub(cast.mallory, code).splitlines() == ["not there"] * 3
    assert hub(None, code).splitlines() == ["not there"] * 3
    refused = hub(
        cast.victor,
        """
        print(api.file_exists("acme/tiny", "config.json"))
        try:
            api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id="acme/tiny")
        except HfHubHTTPError as error:
            print(error.response.status_code, "asset.edit" in str(error))
        try:
            hf_hub_download("acme/tiny", "none.txt")
        except EntryNotFoundError:
            print("no such file")
        """,
    )
    assert refused.splitlines() == ["True", "403 True", "no such file"]
