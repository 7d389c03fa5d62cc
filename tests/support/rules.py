"""What our own rules about sources look for; tests/repository/test_finders.py shows that they find it."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

# ------------------------------------------------------------------ Python

STARTING_MODULES = frozenset(
    {"subprocess", "_posixsubprocess", "pty", "multiprocessing", "pexpect"}
)
STARTING_CALLS = re.compile(
    r"^(os\.(system|popen|fork|forkpty|exec\w+|spawn\w+|posix_spawn\w*|startfile)"
    r"|asyncio\.(create_subprocess_\w+|subprocess\b.*)"
    r"|concurrent\.futures\.ProcessPoolExecutor|concurrent\.futures\.process\b.*)$"
)
KERNEL_CALLS = re.compile(r"^(os\.uname|platform\.(release|uname|platform|version)|natsort\b.*)$")
KERNEL_TEXTS = re.compile(r"(^|/)osrelease$|^/proc/version$|^uname$|^--version-sort$|^hostnamectl$")


@cache
def names_and_texts(source: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return every module and dotted name that a module's source imports or uses, and its texts.

    Kept, because several rules ask it of all sources.
    """
    nodes = list(ast.walk(ast.parse(source)))
    aliases: dict[str, str] = {}
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            for item in node.names:
                names.add(item.name)
                aliases[item.asname or item.name.partition(".")[0]] = (
                    item.name if item.asname else item.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            for item in node.names:
                names.add(f"{node.module}.{item.name}")
                aliases[item.asname or item.name] = f"{node.module}.{item.name}"
    for node in nodes:
        if isinstance(node, ast.Attribute):
            first, *rest = dotted(node)
            names.add(".".join((aliases.get(first, first), *rest)))
    texts = {it.value for it in nodes if isinstance(it, ast.Constant) and isinstance(it.value, str)}
    return frozenset(names), frozenset(texts)


def dotted(node: ast.expr) -> tuple[str, ...]:
    """Return the parts of a dotted name; what it is an attribute of may be anything: `()`."""
    if isinstance(node, ast.Attribute):
        return (*dotted(node.value), node.attr)
    return (node.id if isinstance(node, ast.Name) else "()",)


def ways_to_start_programs(source: str) -> list[str]:
    """Return what a module uses that can start a program."""
    names, _ = names_and_texts(source)
    return sorted(
        name
        for name in names
        if name.partition(".")[0] in STARTING_MODULES or STARTING_CALLS.match(name)
    )


def questions_to_the_build_machine(source: str) -> list[str]:
    """Return what a module uses to learn this machine's kernel, or to sort versions by text."""
    names, texts = names_and_texts(source)
    return sorted(
        {name for name in names if KERNEL_CALLS.match(name)}
        | {text for text in texts if KERNEL_TEXTS.search(text)}
    )


# ------------------------------------------------------------------ shell, also inside a Containerfile


def shell_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield logical lines with the number of their first one, without comments.

    A `#` begins a comment only where a word begins outside quotes: not in `${x#y}`.
    """
    quote, first, line = "", 1, ""
    for number, raw in enumerate(text.split("\n"), 1):
        if not quote and raw.lstrip().startswith("#"):
            continue  # also between the lines of a RUN
        code, quote = _without_comment(raw, quote)
        first = first if line else number
        line += code
        if quote or code.endswith("\\"):
            line = line.removesuffix("\\") + " "
            continue
        if line.strip():
            yield first, line
        line = ""
    if line.strip():
        yield first, line


def _without_comment(raw: str, quote: str) -> tuple[str, str]:
    for index, sign in enumerate(raw):
        escaped = index > 0 and raw[index - 1] == "\\"
        if quote:
            quote = "" if sign == quote and not (escaped and quote == '"') else quote
        elif sign in "'\"" and not escaped:
            quote = sign
        elif sign == "#" and (index == 0 or raw[index - 1] in " \t;&|("):
            return raw[:index], ""
    return raw, quote


PROGRAM = r"(?<![\w./${{-]){name}(?![\w.-])"
END = r"[^;&|)`]*"
KERNEL_OF_THE_MACHINE = {
    "uname other than -m": PROGRAM.format(name="uname") + rf"(?!\s+(-m|--machine)\s*([;&|)`\"]|$)){END}",
    "sort by version": rf"{PROGRAM.format(name='(sort|ls)')}{END}\s(-\w*[Vv]\w*|--version-sort|--sort=version)\b",
    "kernel of /proc": r"/proc/(version|sys/kernel/(osrelease|version))|\bhostnamectl\b",
    "depmod without a kernel": rf"{PROGRAM.format(name='depmod')}(?!{END}\$\{{?KERNEL_RELEASE\b)",
    "dkms without a kernel": (
        rf"{PROGRAM.format(name='dkms')}\s+(build|install|autoinstall|mkrpm)\b"
        rf"(?!{END}\s(-k|--kernelver)[\s=]?\"?\$\{{?KERNEL_RELEASE\b)"
    ),
    "dracut without a kernel": rf"{PROGRAM.format(name='dracut')}(?!{END}--kver[ =]\"?\$\{{?KERNEL_RELEASE\b)",
    "kernel-install": PROGRAM.format(name="kernel-install"),
}  # fmt: skip
HIDDEN_FAILURES = {
    "errexit taken away": r"\bset\s+(-\w+\s+)*\+\w*e|\bset\s+\+o\s+(errexit|pipefail)\b",
    "a failure that is true": r"\|\|\s*\{?\s*(/usr)?(/bin/)?(true|:|echo|printf|exit\s+0|return(\s+0)?)\s*(;|\}|\)|\\|&|$)",
    "a failure that is only told": r"\|\|\s*\{?\s*(echo|printf|warn)\b[^;&|]*(;|\}|\)|$)",
    "true at the end": r"[;&]\s*(/usr)?(/bin/)?(true|:|exit\s+0)\s*([;)}\"']|$)",
    "a condition that does nothing": r"\bif\s+!?\s*[^;]*;\s*then\s+(:|true)\s*;?",
    "a pipeline's status is turned": r"(^|[;&|]\s*)!\s+\w",
}  # fmt: skip


def found_in(path: Path, patterns: dict[str, str], root: Path) -> list[str]:
    """Return where a shell file or Containerfile has what one of the patterns looks for."""
    found = []
    for number, line in shell_lines(path.read_text(errors="replace")):
        code = re.sub(r'\bfail\s+"[^"]*"', "fail", line)  # a message starts nothing
        found += [
            f"{path.relative_to(root)}:{number}: {name}"
            for name, pattern in patterns.items()
            if re.search(pattern, code)
        ]
    return found


def unquoted_semicolons(line: str) -> bool:
    """Tell whether commands of a RUN follow each other whatever the first one's status is."""
    return bool(re.search(r"(?<!\\);(?!;)", re.sub(r"'[^']*'|\"[^\"]*\"", "", line)))
