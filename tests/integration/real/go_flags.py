"""The command-line flags of Kubernetes' programs and of etcd out of their Go source.

`python -m` this writes data/component-flags.toml: by program its flags, each with the Kubernetes minors that know it.

A program is read as the linker reads it: from `main` in k8s.io/kubernetes@v1.Y/cmd/<program> and the `init` functions
of every package it imports to whatever these mention, declaration by declaration (a type brings all its methods), as
far as that lies in k8s.io/kubernetes, a staging module of MODULES, klog or cadvisor; no tests, no Windows. Up to 1.14
the staging modules lie in the module of Kubernetes itself. Of etcd the files of ETCD_FILES are read.

What counts as a flag is the name in a call that defines one (`fs.StringVar(&x, "name", ...)`, `pflag.Bool("name", 1)`)
or takes one over from another set (`register(global, local, "name")`), be it a literal, a constant, an item of a list
or a format. Whether the program adds that set to its own flags is not asked: the table has a few names too many and
none too few. A name defined with `_` is there with `-` too: some programs have the one and some the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path

from tests.conftest import ROOT
from tests.integration.real import go_gates
from tests.integration.real.go_programs import module
from tests.integration.real.go_types import ranges

KUBERNETES = "k8s.io/kubernetes"
# By minor the patch that the module proxy gives. The other staging modules that the programs import define no flags.
MODULES = go_gates.MODULES | {
    "k8s.io/legacy-cloud-providers": {
        15: 12,
        16: 15,
        17: 12,
        18: 15,
        19: 15,
        20: 15,
        21: 14,
        22: 15,
        23: 12,
        24: 15,
        25: 16,
        26: 15,
        27: 11,
        28: 15,
        29: 15,
        30: 14,
    },
}
MINORS = MODULES[KUBERNETES]
# Modules with versions of their own: go.mod of Kubernetes names them, which it has as of 1.15.
OTHERS = ("k8s.io/klog", "k8s.io/klog/v2", "github.com/google/cadvisor", "github.com/google/cadvisor/lib")
OTHERS_BEFORE = {
    13: {"k8s.io/klog": "v0.2.0", "github.com/google/cadvisor": "v0.32.0"},
    14: {"k8s.io/klog": "v0.3.0", "github.com/google/cadvisor": "v0.32.0"},
}
PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
# By the first minor whose kubeadm takes that etcd (data/kubeadm-images.toml): the newest patch that the proxy gives, as
# a patch adds flags and removes none.
ETCD = {
    13: ("github.com/coreos/etcd", "v3.2.24+incompatible"),
    14: ("github.com/coreos/etcd", "v3.3.27+incompatible"),
    17: ("go.etcd.io/etcd", "v0.5.0-alpha.5.0.20210512015243-d19fbe541bf9"),  # 3.4.16
    22: ("go.etcd.io/etcd/server/v3", "v3.5.35"),
    34: ("go.etcd.io/etcd/server/v3", "v3.6.16"),
    37: ("go.etcd.io/etcd/server/v3", "v3.7.3"),
}
# What later patches of those lines added that the proxy does not give: git tags up to v3.2.32 and v3.4.45.
ETCD_LATER = {
    "github.com/coreos/etcd@v3.2.24+incompatible": {"experimental-peer-skip-client-san-verification"},
    "go.etcd.io/etcd@v0.5.0-alpha.5.0.20210512015243-d19fbe541bf9": {
        "experimental-enable-lease-checkpoint-persist",
        "listen-client-http-urls",
        "max-concurrent-streams",
        "next-cluster-version-compatible",
        "tls-max-version",
        "tls-min-version",
    },
}
ETCD_FILES = ("etcdmain/config.go", "embed/config.go")
DATA = ROOT / "data" / "component-flags.toml"
# cobra's own, and those that a program names only when it runs.
_EVERYWHERE = {"help", "version"}
_PROGRAMS = {"v", "vmodule"}
# As of then klog's other flags (log-dir, logtostderr, ...) are no program's any more: component-base/logs/klogflags.
_WITHOUT_KLOG = 26
# What a `%s` in the format of a name stands for: `audit-%s-batch-max-size`.
_PLACEHOLDERS = ("log", "webhook")
_IMPORT = re.compile(r'^(?:import)?\s+(?:([\w.]+)\s+)?"([\w.~-]+\.[\w./~-]+)"', re.MULTILINE)
_VALUE = r"(?!\w*Var)(?:Bool|Bytes|Count|Duration|Float|Func|IP|Int|Net|String|Text|Time|Uint)\w*"
# The call and the place of the name among its arguments.
_CALLS = (
    (re.compile(r"\.\w*Var(?:P|PF|F)?\("), 1),
    (re.compile(rf"\b(?:\w*[fF]lag(?:s|Set)?(?:\(\))?|fs|CommandLine)\.{_VALUE}\("), 0),
    (re.compile(r"\b(?:register\w*|pflagRegister\w*|addWithDeprecat\w*)\("), 2),
    (re.compile(r"\bglobalflag\.Register\("), 1),
    (re.compile(r"\.AddFlag\("), 1),
    (re.compile(r"\bAddFlag\(\s*[\w.()]+\.Lookup\("), 0),
)
_LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"|`([^`]*)`')
_SKIPPED = re.compile(rf"{_LITERAL.pattern}|'(?:[^'\\]|\\.)+'|//[^\n]*")
_FORMAT = re.compile(r'fmt\.Sprintf\(\s*"([^"]*)"')
_LEFT_OUT = re.compile(r"_(test|windows)\.go$")
_COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*.*?\*/)", re.MULTILINE | re.DOTALL)
_DECLARATION = re.compile(r"^(?=(?:func|type|var|const)\b)", re.MULTILINE)
_BLOCK = re.compile(r"\w+ \(")
_FUNCTION = re.compile(r"func (?:\((?:\w+ )?\*?(\w+)[^)]*\) )?(\w+)")
_WORD = re.compile(r"\b([A-Za-z_]\w*)(?:\.(\w+))?")
_NAME = re.compile(r"[A-Za-z][\w-]*")


class _Declaration:
    """A function with its body, a type or a block of constants or variables, and the imports of its file."""

    def __init__(self, package: _Package, imports: dict[str, str], text: str) -> None:
        self.package, self.imports, self.text = package, imports, text

    @cached_property
    def flags(self) -> set[str]:
        """Return the flags that calls in it define or take over."""
        names = {name for expression in _calls(self.text) for name in self._names(expression)}
        return names | {name.replace("_", "-") for name in names}

    @cached_property
    def mentions(self) -> set[tuple[str, str]]:
        """Return the import paths and names of the declarations that it mentions."""
        found = set()
        for owner, name in set(_WORD.findall(self.text)):
            if owner in self.imports:
                found.add((self.imports[owner], name))
            elif owner in self.package.declarations:
                found.add((self.package.path, owner))
        return found

    def _names(self, expression: str) -> set[str]:
        found = {""}
        for term in _split(expression, "+"):
            values = self._values(term)
            found = {before + value for before in found for value in values}
        return {name for name in found if _NAME.fullmatch(name)}

    def _values(self, term: str) -> set[str]:
        """Return what a term may stand for: a literal, a format, a name of this package or of an imported one."""
        if shape := _FORMAT.match(term):
            return {re.sub("%[sqv]", word, shape[1]) for word in _PLACEHOLDERS}
        if literal := _LITERAL.fullmatch(term):
            return {literal[1] or literal[2] or ""}
        if not re.fullmatch(r"(?:\w+\.)*\w+", term):
            return set()
        owner, _, name = term.rpartition(".")
        package = self.package.tree.package(self.imports[owner]) if owner in self.imports else self.package
        return set() if package is None else package.strings(name)


class _Package:
    """A Go package: its declarations by name, those of a type's methods by the type; "" has what always runs."""

    def __init__(self, tree: _Tree, path: str, directory: Path, pattern: str = "*.go") -> None:
        self.tree, self.path = tree, path
        self.declarations: dict[str, list[_Declaration]] = {}
        self.name = path.rsplit("/", 1)[-1]
        paths = [path for path in sorted(directory.glob(pattern)) if not _LEFT_OUT.search(path.name)]
        self.texts = [_COMMENT.sub("", path.read_text()) for path in paths]
        self.paths = {path for text in self.texts for _, path in _IMPORT.findall(text)}
        for text in self.texts:
            self.name = text.split(maxsplit=2)[1]

    def declare(self) -> None:
        """Find the declarations; every import is a package by now."""
        for text in self.texts:
            imports = {}
            for alias, path in _IMPORT.findall(text):
                package = self.tree.package(path)
                if package is not None:
                    imports[alias or package.name] = path
            for part in _DECLARATION.split(text)[1:]:
                one = _Declaration(self, imports, part)
                for name in _declared(part):
                    self.declarations.setdefault(name, []).append(one)

    def strings(self, name: str) -> set[str]:
        """Return the strings assigned to a name, and the items of a list of strings assigned to it or ranged over."""
        found = set[str]()
        for text in self.texts:
            found |= set(re.findall(rf'\b{name}(?:\s+\w+)?\s*:?=\s*"([^"]*)"', text))
            for body in re.findall(rf"\b{name}\s*:?=\s*\[\]string\{{(.*?)\}}", text, re.DOTALL):
                found |= {one for one, _ in _LITERAL.findall(body)}
            for other in re.findall(rf"\b{name}\s*:=\s*range\s+(?:\w+\.)*(\w+)", text):
                found |= self.strings(other)
        return found


class _Tree:
    """The modules of a Kubernetes minor, and their packages by import path."""

    def __init__(self, roots: dict[str, Path]) -> None:
        self.roots = roots
        self.packages: dict[str, _Package | None] = {}

    def package(self, path: str) -> _Package | None:
        """Return the package of an import path, if it lies in one of the modules."""
        if path not in self.packages:
            root = next((root for root in _prefixes(path) if root in self.roots), None)
            self.packages[path] = None
            if root is not None:
                package = _Package(self, path, self.roots[root] / path.removeprefix(root).lstrip("/"))
                self.packages[path] = package
                package.declare()
        return self.packages[path]

    def flags(self, path: str) -> set[str]:
        """Return the flags that the program with that main package defines: what its parts mention, step by step."""
        ahead = [(path, "main"), *((each, "") for each in self._imported(path))]
        found, seen = set[str](), set(ahead)
        while ahead:
            place, name = ahead.pop()
            package = self.package(place)
            for one in package.declarations.get(name, ()) if package is not None else ():
                found |= one.flags
                ahead += one.mentions - seen
                seen |= one.mentions
        return found

    def _imported(self, path: str) -> set[str]:
        seen, ahead = {path}, [path]
        while ahead:
            package = self.package(ahead.pop())
            if package is not None:
                ahead += package.paths - seen
                seen |= package.paths
        return seen


def _others(minor: int, requirements: Path) -> dict[str, str]:
    """Return the versions of OTHERS by the go.mod of Kubernetes."""
    if minor in OTHERS_BEFORE:
        return OTHERS_BEFORE[minor]
    lines = [line.split() for line in requirements.read_text().splitlines()]
    names = [name for name in OTHERS if minor < _WITHOUT_KLOG or not name.startswith("k8s.io/klog")]
    return {words[0]: words[1] for words in lines if len(words) > 1 and words[0] in names and words[1].startswith("v")}


def _prefixes(path: str) -> Iterator[str]:
    words = path.split("/")
    return ("/".join(words[:count]) for count in range(len(words), 0, -1))


def _declared(text: str) -> set[str]:
    """Return the names under which a declaration is reached; "" is whatever runs as soon as the package is imported."""
    if match := _FUNCTION.match(text):
        return {"" if match[2] == "init" else match[1] or match[2]}
    heads = re.findall(r"^\t(\w+(?:, \w+)*)" if _BLOCK.match(text) else r"\A\w+ (\w+(?:, \w+)*)", text, re.MULTILINE)
    found = {name for head in heads for name in head.split(", ")}
    return found | {""} if text.startswith("var") and any(_calls(text)) else found


def _calls(text: str) -> Iterator[str]:
    """Yield the Go expression of the name in every call that defines a flag or takes one over."""
    for call, place in _CALLS:
        for match in call.finditer(text):
            words = _split(text[match.end() : match.end() + 2000], ",")
            if len(words) > place:
                yield words[place]


def _split(text: str, separator: str) -> list[str]:
    """Return what stands between separators up to the bracket that closes; inner brackets and strings are skipped."""
    found, start, depth, at = list[str](), 0, 0, 0
    while at < len(text):
        if skipped := _SKIPPED.match(text, at):
            at = skipped.end()
            continue
        depth += (text[at] in "([{") - (text[at] in ")]}")
        if depth < 0:
            break
        if not depth and text[at] == separator:
            found.append(text[start:at].strip())
            start = at + 1
        at += 1
    return [*found, text[start:at].strip()]


def _of_etcd(name: str, version: str) -> set[str]:
    place, tree = module(name, version), _Tree({})
    parts = [_Package(tree, one, (place / one).parent, Path(one).name) for one in ETCD_FILES if (place / one).exists()]
    found = set(ETCD_LATER.get(f"{name}@{version}", ()))
    for part in parts:
        part.declare()
        found |= {flag for held in part.declarations.values() for one in held for flag in one.flags}
    return found


@cache
def _tree(minor: int) -> _Tree:
    roots = {KUBERNETES: module(KUBERNETES, f"v1.{minor}.{MINORS[minor]}")}
    roots |= {f"k8s.io/{place.name}": place for place in (roots[KUBERNETES] / "staging/src/k8s.io").glob("*")}
    for name, patches in MODULES.items():
        if name != KUBERNETES and minor in patches:
            roots[name] = module(name, f"v0.{minor}.{patches[minor]}")
    others = _others(minor, roots[KUBERNETES] / "go.mod")
    return _Tree(roots | {name: module(name, version) for name, version in others.items()})


def of(component: str, minor: int) -> set[str]:
    """Return the flags of a component of a Kubernetes minor."""
    if component == "etcd":
        return _EVERYWHERE | _of_etcd(*ETCD[max(first for first in ETCD if first <= minor)])
    return _EVERYWHERE | _PROGRAMS | _tree(minor).flags(f"{KUBERNETES}/cmd/{component}")


def main() -> None:
    """Write data/component-flags.toml."""
    held: dict[str, dict[int, set[str]]] = {name: {} for name in (*PROGRAMS, "etcd")}
    for minor in MINORS:
        for name, by_minor in held.items():
            by_minor[minor] = of(name, minor)
        _tree.cache_clear()
    lines = [
        "# The command-line flags that the components of a cluster know, by Kubernetes version, out of Go source:",
        "# tests/integration/real/go_flags.py writes this file and names the modules. Those of etcd are by the",
        "# Kubernetes version whose kubeadm takes that etcd. A component may lack a few of its flags, it has no more.",
    ]
    for name, by_minor in held.items():
        lines += ["", f"[{name}]", *(f'{flag} = "{text}"' for flag, text in ranges(by_minor).items())]
    DATA.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
