"""Say what tonight's run would do, what that changes, and whether what is published is ours.

python examples/what_changes.py immutable-base.toml [OLD.json]
"""

import sys

from immutable_base import api


def main(config: str, earlier: str | None = None) -> api.Plan:
    """Print a line for each variant, and what changes against an earlier plan."""
    plan = api.plan(config)
    for variant in plan.variants:
        print(f"{variant.name}: {variant.verdict}, kernel {variant.kernel.chosen or 'none'}")
        if variant.verdict is not api.Verdict.BUILD:
            print(f"  {variant.reasons[0]}")
    if earlier is not None:
        for change in api.diff(api.load_plan(earlier), plan).variants:
            for package in change.packages:
                print(f"{change.name}: {package.name} {package.before} to {package.after}")
    return plan


def is_ours(reference: str, config: str) -> bool:
    """Tell whether the configured identity signed an image and its SBOM."""
    try:
        print(f"verified {api.verify(reference, config).image}")
    except api.ImmutableBaseError as error:
        print(error)  # a sentence, what the program said, and what to do
        return False
    return True


if __name__ == "__main__":
    main(*sys.argv[1:])
