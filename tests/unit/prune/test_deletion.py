"""What is deleted, in which order, and what is told of it."""

import json

from support.web import Reply

MANIFESTS = "os/base/manifests/"


def test_yes_deletes_what_the_plan_lists_and_nothing_else(nights):
    planned = {digest for digest, row in nights.items().items() if row["action"] == "delete"}
    before = set(nights.base.manifests)
    done = nights.prune("--yes", "--format", "json")
    report = json.loads(done.out)
    assert done.code == 0
    assert before - set(nights.base.manifests) == planned
    assert {name.partition("@")[2] for name in report["deleted"]} == planned
    assert report["seen"] == len(nights.base.manifests)
    assert all(path.startswith(MANIFESTS) for _, path in nights.registry.written())


def test_images_go_before_their_signatures(nights):
    nights.prune("--yes")
    order = [path.removeprefix(MANIFESTS) for _, path in nights.registry.written()]
    assert set(order[:2]) == {"sha256:" + it.partition(":")[2] for it in order[:2]}
    assert len(order) == 6
    kinds = [any(digest == it for it in nights.nights.values()) for digest in order]
    assert kinds == [True, True, False, False, False, False]


def test_a_second_time_nothing_may_go(nights):
    nights.prune("--yes")
    assert "nothing may go" in nights.prune().out


def test_an_old_day_is_taken_from_an_image_that_stays(nights):
    digest = nights.publish(50, "6.12.0")
    done = nights.prune("--yes")
    assert done.code == 0, done.err
    assert digest in nights.base.manifests
    assert nights.tag(50) not in nights.base.tags
    assert nights.base.tags["6.12.0"] == digest
    assert nights.beside(digest) == {"sig", "att"}


def test_a_registry_that_takes_no_single_tag_away_keeps_it_and_that_is_said(nights):
    nights.publish(50, "6.12.0")
    nights.registry.deletes_tags = "never"
    done = nights.prune("--yes")
    assert done.code == 0
    assert nights.tag(50) in nights.base.tags
    assert f"left {nights.name}:{nights.tag(50)}" in done.out


def test_a_manifest_that_goes_with_its_tag_is_put_back(nights):
    digest = nights.publish(50, "6.12.0")
    nights.registry.deletes_tags = "with the manifest"
    done = nights.prune("--yes")
    assert done.code == 6
    assert nights.base.tags["6.12.0"] == nights.base.tags[nights.tag(50)] == digest
    assert "together with its tag" in done.err
    assert nights.old <= set(nights.base.manifests), "nothing else was deleted"


def test_a_registry_that_does_not_delete_is_an_error(nights):
    nights.registry.deletes_manifests = False
    done = nights.prune("--yes")
    assert done.code == 6
    assert "does the registry allow deletion?" in done.err


def test_a_registry_that_only_says_that_it_deletes_is_an_error(nights):
    first = min(nights.old)
    nights.registry.replies[("DELETE", MANIFESTS + first)] = [Reply(b"", 202)]
    done = nights.prune("--yes")
    assert done.code == 6
    assert first in done.err


def test_what_was_deleted_before_a_failure_is_named(nights):
    first, second = sorted(nights.old)
    nights.registry.replies[("DELETE", MANIFESTS + second)] = [Reply(b"denied", 403)]
    done = nights.prune("--yes")
    assert done.code == 6
    assert f"deleted before: {nights.name}@{first}" in done.err
    assert nights.beside(second) == {"sig", "att"}, "what is left is signed"


def test_something_that_goes_missing_meanwhile_is_found(nights):
    kept = nights.nights[5]

    def lose(path, reference):
        nights.base.manifests.pop(kept, None)
        nights.base.tags.pop(nights.tag(5), None)

    nights.registry.after_delete.append(lose)
    done = nights.prune("--yes")
    assert done.code == 12
    assert kept in done.err


def test_a_tag_that_another_run_moves_meanwhile_is_told(nights):
    def move(path, reference):
        nights.base.tags["latest"] = nights.nights[1]

    nights.registry.after_delete.append(move)
    done = nights.prune("--yes")
    assert done.code == 0
    assert f"moved by another run meanwhile: {nights.name}:latest" in done.out
