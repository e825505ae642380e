"""A Dockerfile as data: enough of the format to ask what an image would be, without an engine to build it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instruction:
    name: str
    rest: str

    def words(self) -> list[str] | None:
        """The exec form's words, or None where the shell form stands."""
        if not self.rest.startswith("["):
            return None
        words = json.loads(self.rest)
        return words if all(isinstance(word, str) for word in words) else None


@dataclass(frozen=True, slots=True)
class Stage:
    image: str
    alias: str
    instructions: tuple[Instruction, ...]

    def all(self, name: str) -> list[Instruction]:
        return [each for each in self.instructions if each.name == name]

    def last(self, name: str) -> Instruction:
        """The one in force: a later one replaces an earlier. Raises IndexError when there is none."""
        return self.all(name)[-1]


def stages(text: str) -> list[Stage]:
    """The stages in their order, `FROM`'s variables filled in from the ARG defaults above it."""
    arguments: dict[str, str] = {}
    built: list[Stage] = []
    for instruction in _instructions(text):
        if instruction.name == "ARG" and not built:
            key, _, value = instruction.rest.partition("=")
            arguments[key] = value
        elif instruction.name == "FROM":
            image, _, alias = instruction.rest.partition(" AS ")
            image = re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], image)
            built.append(Stage(image.strip(), alias.strip(), ()))
        else:
            stage = built.pop()
            built.append(Stage(stage.image, stage.alias, (*stage.instructions, instruction)))
    return built


def _instructions(text: str) -> list[Instruction]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    found = []
    for line in joined.splitlines():
        name, _, rest = line.strip().partition(" ")
        found.append(Instruction(name.upper(), re.sub(r"\s{2,}", " ", rest.strip())))
    return found
