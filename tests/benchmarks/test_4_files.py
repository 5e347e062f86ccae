"""1 GiB up and down through the REST API, beside `cp` and `sha256sum`."""

import pytest

from tests.benchmarks import files
from tests.benchmarks.conftest import Report
from tests.story.conftest import Instance

pytestmark = pytest.mark.timeout(1800)
AIM, FLAT_MIB = 0.5, 64


def test_transfer_of_a_gibibyte(instance: Instance, report: Report, tmp_path):
    site = files.Site(instance.site, instance.people["alice"]["api_key"])
    found = files.measure(site, tmp_path, mib=1024, rounds=3)
    ratios = found["ratio_to_slower_of_cp_and_sha256sum"]
    for way, name in (("up", "upload"), ("down", "download")):
        report.add(
            f"{name} of 1 GiB / slower of cp, sha256sum",
            figure=f"{ratios[way]:.2f}",
            aim=f"at least {AIM}",
            met=ratios[way] >= AIM,
            mb_per_s=found["mb_per_s"],
        )
    grown = found["site_memory_grown_mib"]
    report.add("  the site's memory meanwhile", figure=f"+{grown} MiB", aim="flat", met=grown < FLAT_MIB)
    assert min(ratios.values()) >= AIM, found
    assert grown < FLAT_MIB, found
