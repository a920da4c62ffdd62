#!/usr/bin/env python3
"""Which folder of src/ imports which, and what breaks the rules: an import that points up, or a circle.

    scripts/imports.py            the folders, each with what it imports
    scripts/imports.py --files    the files
    scripts/imports.py --check    nothing but what breaks the rules; exit 1 if anything does

A path counts wherever it stands, in `use` or in code, and leads to the file that defines the name: a folder's mod.rs
is no stop on the way to what it merely passes on. Tests are left out.
"""

import argparse
import re
import sys
from pathlib import Path

# From top to bottom. What stands on one line are neighbours, and do not import each other.
LAYERS = """
lib
cli
run
ui
import
config
publish
finish boot
stage
chroot
twins
shape netboot
image fat
ansible secrets packages
emulation
disk elf
sys
event address bytes hex nearest bare
error
"""

# What is compiled apart, below src/: the library, and the programs that build.rs makes.
ROOTS = ["lib.rs", "twins/dispatcher/program/main.rs", "bare/program/main.rs"]

# Comments, texts and characters: where one of them begins, the others do not.
LITERAL = re.compile(
    r"""//[^\n]*|/\*.*?\*/|b?r(?P<hash>\#*)".*?"(?P=hash)|"(?:[^"\\]|\\.)*"|'(?:[^'\\\n]|\\[^\n]+?)'""",
    re.DOTALL,
)
TOKEN = re.compile(r"[A-Za-z_]\w*|::|[{},*]")
USE = re.compile(r"^\s*(?:pub )?use ([^;]*);", re.MULTILINE)
PATH = re.compile(r"(?<![\w:])(?:crate|super|self|[a-z]\w*)(?:::[A-Za-z_]\w*)+")
CHILD = re.compile(r"^\s*(?:pub )?mod (\w+);", re.MULTILINE)


def source(path):
    """The code of a file, without comments, texts and tests, and without what tells who may see it."""
    text = LITERAL.sub(lambda m: " " if m[0][0] == "/" else '""', path.read_text())
    text = re.sub(r"(?m)^#\[cfg\(test\)\]\nmod \w+ \{.*", "", text, flags=re.DOTALL)
    text = re.sub(r"#\[cfg\(test\)\]\n(?:#.*\n)*(?:pub )?mod \w+;", "", text)
    return re.sub(r"\bpub\([^)]*\)", "pub", text)


def expand(tree):
    """The paths of a `use` tree, each with the name that it has here."""
    tokens = TOKEN.findall(tree)
    at = 0

    def walk(prefix):
        nonlocal at
        path = list(prefix)
        while True:
            token = tokens[at]
            at += 1
            if token == "{":
                while tokens[at] != "}":
                    yield from walk(path)
                    if tokens[at] == ",":
                        at += 1
                at += 1
                return
            path.append(token)
            if at < len(tokens) and tokens[at] == "::":
                at += 1
                continue
            name = path[-2] if token == "self" and len(path) > 1 else token
            if at < len(tokens) and tokens[at] == "as":
                name = tokens[at + 1]
                at += 2
            yield (
                [part for i, part in enumerate(path) if i == 0 or part != "self"],
                name,
            )
            return

    yield from walk([])


class Crate:
    """The modules of a crate, by path, and what each brings in from where."""

    def __init__(self, root):
        src = root.parent
        self.files = {(): Path(root.name)}
        for path in sorted(src.rglob("*.rs")):
            parts = list(path.relative_to(src).with_suffix("").parts)
            tested = any("test" in part for part in parts) or "program" in parts[:-1]
            if tested or parts in (["lib"], ["main"]):
                continue
            module = tuple(parts[:-1] if parts[-1] == "mod" else parts)
            self.files[module] = path.relative_to(src)
        self.code = {m: source(src / path) for m, path in self.files.items()}
        self.names = {m: self.named(m) for m in self.files}

    def absolute(self, module, path):
        """A path as seen in a module, from the crate's root; None where it leaves the crate."""
        if path[0] == "crate":
            return path[1:]
        if path[0] == "self":
            return list(module) + path[1:]
        above = list(module)
        while path and path[0] == "super":
            above, path = above[:-1], path[1:]
        return above + path if above != list(module) or not path else None

    def named(self, module):
        """The names that `use` gives a module, with where they lead."""
        names = {
            child: list(module) + [child] for child in CHILD.findall(self.code[module])
        }
        for tree in USE.findall(self.code[module]):
            for path, name in expand(tree):
                first = names.get(path[0])
                full = first + path[1:] if first else self.absolute(module, path)
                if full is not None and name != "*":
                    names[name] = full
        return names

    def lead(self, path, depth=8):
        """The module that defines what a path from the root names."""
        # In the root itself are names of its own, but none of a module that stands elsewhere.
        for length in range(len(path), -1 if len(path) == 1 else 0, -1):
            module = tuple(path[:length])
            if module not in self.files:
                continue
            rest = path[length:]
            onward = self.names[module].get(rest[0]) if rest else None
            if onward and depth and onward != path:
                return self.lead(onward + rest[1:], depth - 1) or module
            return module
        return None

    def imports(self, module):
        """The modules that a module needs. What it only passes on is not needed by it."""
        body = USE.sub("", self.code[module])
        needed = set()
        for tree in USE.finditer(self.code[module]):
            if not tree[0].lstrip().startswith("pub"):
                needed |= {self.lead(full) for _, full in self.used(module, tree[1])}
        for match in PATH.finditer(body):
            path = match[0].split("::")
            first = self.names[module].get(path[0])
            full = first + path[1:] if first else self.absolute(module, path)
            needed.add(self.lead(full) if full else None)
        return {m for m in needed if m is not None and m != module}

    def used(self, module, tree):
        for _, name in expand(tree):
            if name in self.names[module]:
                yield name, self.names[module][name]


def circles(graph):
    """Groups of nodes that reach each other (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--files", action="store_true", help="print files in place of folders"
    )
    parser.add_argument(
        "--check", action="store_true", help="print only what breaks the rules"
    )
    parser.add_argument(
        "--src", type=Path, default=Path(__file__).parent.parent / "src"
    )
    options = parser.parse_args()

    files = {}
    for root in ROOTS:
        crate = Crate(options.src / root)
        path = {m: str(Path(root).parent / file) for m, file in crate.files.items()}
        files |= {path[m]: {path[n] for n in crate.imports(m)} for m in path}
    folder = {file: file.split("/")[0].removesuffix(".rs") for file in files}
    folders = {}
    for file, needed in files.items():
        folders.setdefault(folder[file], set()).update(folder[n] for n in needed)
        folders[folder[file]].discard(folder[file])

    if not options.check:
        for node, needed in sorted((files if options.files else folders).items()):
            print(f"{node}: {' '.join(sorted(needed))}")
        return 0

    rank = {
        name: i for i, line in enumerate(LAYERS.split("\n")) for name in line.split()
    }
    faults = [
        f"src/{name} has no place in LAYERS"
        for name in sorted(set(folders) - set(rank))
    ]
    for file, needed in sorted(files.items()):
        for other in sorted(needed):
            above, below = folder[file], folder[other]
            if above != below and rank.get(above, -1) >= rank.get(below, 99):
                faults.append(f"src/{file} imports src/{other}, which is not below it")
    faults += [f"a circle: {' '.join(group)}" for group in circles(files)]
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
