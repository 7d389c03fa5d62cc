"""What the product's own configuration asks for."""

import tomllib

from support.paths import PRODUCT


def requested_sets() -> dict[str, tuple[str, ...]]:
    """Return the packages that are installed together, by what asks for them.

    A layer that no variant has asks for nothing: the lab's scenario `admission` has that one's.
    """
    product = tomllib.loads(PRODUCT.read_text())
    modules, kernel = product["modules"], product["kernel"]
    sets = {"kernel": (*kernel["packages"], kernel["devel_package"])}
    used = {name for variant in product["variants"].values() for name in variant["layers"]}
    for name, layer in product["layers"].items():
        if name not in used:
            continue
        module = modules.get(layer.get("module"))
        source = (module["source_package"],) if module else ()
        sets[f"layer {name}"] = (*layer["packages"], *source)
    for name, module in modules.items():
        sets[f"toolchain of {name}"] = tuple(module["toolchain"])
    return sets
