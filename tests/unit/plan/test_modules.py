"""Out-of-tree modules: which source, which package, which userspace, which time."""

import dataclasses
import re
import shutil
import subprocess
from types import SimpleNamespace

import pytest

from immutable_base.config.schema import Module
from immutable_base.errors import ImmutableBaseError
from immutable_base.model.plan import Verdict
from immutable_base.plan import modules
from support.paths import ROOT
from support.plans import package
from support.pools import pool_of
from support.rpmmd import Rpm

UNAME = "6.12.105+deb13-amd64"


def settings(branch="2.3", maximum="meta"):
    return Module(
        source_package="zfs-dkms", kmod_package="kmod-zfs-prebuilt", provides="zfs-kmod", dkms_name="zfs", branch=branch,
        repositories=("openzfs",), ko=("zfs",), maximum=maximum, toolchain=(),
    )  # fmt: skip


def source_of(folder, *rpms, **changes):
    asked = []

    def maximum(module, found):
        asked.append(found.nevra)
        return "7.2"

    pool = pool_of(folder, {"openzfs": [Rpm("zfs-dkms", rpm, "noarch") for rpm in rpms]})
    found = modules.find_source(pool, "zfs", settings(**changes), ("openzfs",), maximum)
    return SimpleNamespace(source=found, pool=pool, asked=asked)


# ------------------------------------------------------------------ the source


@pytest.mark.parametrize(
    ("branch", "expected"),
    [("2.3", "2.3.9"), ("2.30", "2.30.1"), ("2", "2.30.1"), ("2.3.9", "2.3.9"), ("2.3.8", "2.3.8")],
)
def test_a_branch_is_made_of_components(tmp_path, branch, expected):
    offered = ("2.30.1-1", "2.3.9-1", "2.3.8-2", "2.3.8-1")
    assert source_of(tmp_path, *offered, branch=branch).source.package.version == expected


def test_a_branch_that_is_only_the_beginning_of_a_number_is_offered_by_nobody(tmp_path):
    with pytest.raises(
        ImmutableBaseError, match=r"no zfs-dkms of branch 2\.3 in openzfs"
    ) as caught:
        source_of(tmp_path, "2.30.1-1", "2.31-1")
    assert "offered: 2.31-1, 2.30.1-1" in str(caught.value)


def test_a_branch_does_not_grow_into_another_one_in_a_plan(world):
    from support.plan_world import digest_rpms, zfs_rpms

    world.repositories["openzfs"] += zfs_rpms("2.30.1")
    digest_rpms(world)
    variant = world.variant("base-zfs")
    assert variant.verdict is Verdict.BUILD
    assert variant.modules[0].version == "2.3.10~rc1"


def test_only_the_chosen_package_is_asked_for_its_maximum_and_only_where_it_states_one(tmp_path):
    assert source_of(tmp_path / "a", "2.4.1-1", "2.3.9-1", "2.3.8-1").asked == [
        "zfs-dkms-2.3.9-1.noarch"
    ]
    found = source_of(tmp_path / "b", "2.3.9-1", maximum="none")
    assert (found.asked, found.source.maximum) == ([], None)


# ------------------------------------------------------------------ the package that is made of it


def test_the_promised_package_requires_its_kernel_and_provides_what_userspace_asks_for(tmp_path):
    found = source_of(tmp_path, "3:2.3.9-1")
    promised = modules.promised_kmod(found.source, UNAME)
    assert str(promised.nevra.evr) == "3:2.3.9-1.6.12.105+deb13_amd64"
    kmod = found.pool.promise(promised)
    assert found.pool.provided(kmod, "zfs-kmod") == ["3:2.3.9"]
    assert [
        (relation.name, relation.comparison, relation.evr) for relation in promised.requires
    ] == [("kernel-uname-r", "=", UNAME)]


def test_the_solver_refuses_a_module_on_an_image_with_another_kernel(world, monkeypatch):
    """Only `Requires: kernel-uname-r` keeps a module away from a kernel that would refuse it."""
    real = modules.promised_kmod
    monkeypatch.setattr(
        modules, "promised_kmod", lambda source, _release: real(source, "6.12.94-1.x86_64")
    )
    variant = world.variant("base-zfs")
    assert variant.verdict is Verdict.FAIL
    assert any(
        "nothing provides kernel-uname-r = 6.12.94-1.x86_64" in reason for reason in variant.reasons
    ), variant.reasons


def evaluated_spec(*query):
    """Return what rpm makes of the product's own spec, with the values that pack-module gives."""
    values = {
        "kmod_name": "kmod-zfs-prebuilt", "kmod_epoch": "3", "kmod_version": "2.3.9", "kmod_release": "1.x", "kmod_provides": "zfs-kmod",
        "kernel_release": UNAME, "kmod_license": "CDDL",
    }  # fmt: skip
    script = (ROOT / "layers/builder/pack-module").read_text()
    assert set(re.findall(r'--define "(k[a-z_]+) ', script)) == values.keys()
    defined = [word for name, value in values.items() for word in ("--define", f"{name} {value}")]
    done = subprocess.run(
        ["rpmspec", "--query", *query, *defined, str(ROOT / "layers/builder/kmod.spec")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_the_package_that_the_builder_makes_is_the_one_that_the_solver_was_promised(tmp_path):
    promised = modules.promised_kmod(source_of(tmp_path, "3:2.3.9-1").source, UNAME)

    def written(relations):
        return {f"{item.name} {item.comparison} {item.evr}" for item in relations}

    assert shutil.which("rpmspec"), "rpm's own tools are among the product's Debian packages"
    requires = {line for line in evaluated_spec("--requires") if not line.startswith("rpmlib(")}
    assert requires == written(promised.requires)
    assert written(promised.provides) <= set(evaluated_spec("--provides"))


# ------------------------------------------------------------------ userspace and time


def test_userspace_has_the_modules_epoch_and_version_or_is_not_taken(tmp_path):
    source = source_of(tmp_path / "a", "3:2.3.9-1").source
    for offered, expected in [
        (("2.3.9-7", "1:2.3.9-9", "3:2.3.9-1", "3:2.3.9-2", "3:2.4.0-1"), "3:2.3.9-2"),
        (("2.3.9-1", "1:2.3.9-1"), None),
        (("3:2.3.8-1", "3:2.3.90-1"), None),
    ]:
        pool = pool_of(tmp_path / str(expected), {"openzfs": [Rpm("zfs", evr) for evr in offered]})
        found = modules.exact_userspace(pool, "zfs", source, ("openzfs",))
        assert (found and found.evr) == expected


def test_a_modules_time_is_that_of_the_newest_of_its_inputs(tmp_path):
    source = source_of(tmp_path, "2.3.9-1").source

    def epoch(created, *build_times):
        builder = tuple(
            package(f"p{n}").model_copy(update={"build_time": time})
            for n, time in enumerate(build_times)
        )
        made = modules.plan_module(source, package("kmod"), builder, (), frozenset("ba"), created)
        assert made.kmod.build_time == made.source_date_epoch
        assert made.builder_erase == ("a", "b")
        return made.source_date_epoch

    assert epoch(1_000) == 1_000
    assert epoch(1_000, 900, 3_000, 2_000) == 3_000
    assert epoch(5_000, 900, 3_000) == 5_000


def test_a_new_compiler_makes_the_module_younger_and_the_layer_that_installs_it_too(world):
    world.repositories["baseos"] = [
        dataclasses.replace(rpm, build_time=1_900_000_000) if rpm.name == "gcc" else rpm
        for rpm in world.repositories["baseos"]
    ]
    variant = world.variant("base-zfs")
    assert variant.modules[0].source_date_epoch == 1_900_000_000
    epochs = {layer.name: layer.source_date_epoch for layer in variant.layers}
    assert epochs == {
        "base": variant.base.created,
        "kernel": variant.base.created,
        "zfs": 1_900_000_000,
    }
