"""Flags of instructions, `--name=value` in front of the words: which are read, and why the others are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from clusterimage.kubefile.parse import Instruction

_COPIES = ("COPY", "ADD")
REFUSED = {
    "--from": "there are no build stages: build the other image by itself",
    "--platform": "leave it out: platform= says what is built for, and nothing runs on the machine that builds",
    "--exclude": "name what is to be left out in .containerignore",
    "--parents": "write the directories into the destination",
    "--checksum": "only what is remote needs one, and that is pinned in versions.toml",
}
_FLAGS = re.compile(r"(?:--\S+(?:\s+|$))+")
_OCTAL = re.compile(r"0?[01]?[0-7]{3}")
_ROOT = re.compile(r"(root|0)(:(root|0))?")


def check(instruction: Instruction) -> None:
    """Raise ConfigError for a flag that is not read, whatever its value may be."""
    for word in instruction.rest.split():
        name = word.partition("=")[0]
        if not name.startswith("--"):
            return
        if instruction.verb not in _COPIES or name not in ("--chown", "--chmod"):
            raise instruction.error(f"{word} cannot be given", REFUSED.get(name, "leave it out"))


def behind(instruction: Instruction) -> Instruction:
    """Return the instruction without its flags; what is behind them may be a JSON list."""
    return replace(instruction, rest=_FLAGS.sub("", instruction.rest))


def mode(instruction: Instruction, variables: Mapping[str, str]) -> int | None:
    """Return the mode of `--chmod`, None without it; an owner other than root raises ConfigError."""
    found = _FLAGS.match(instruction.rest)
    words = replace(instruction, rest=found[0] if found else "").words(variables)
    flags = dict(word.partition("=")[::2] for word in words)
    owner, text = flags.get("--chown", "root"), flags.get("--chmod")
    if not _ROOT.fullmatch(owner):
        problem = f"--chown={owner}: every file of an image belongs to root"
        raise instruction.error(problem, "chown it on the node: in an APP's script, or with CMDS")
    if text is None:
        return None
    if not _OCTAL.fullmatch(text):
        problem = f"--chmod={text} is no mode in octal digits, without set-id bits"
        raise instruction.error(problem, "write --chmod=0644")
    return int(text, 8)
