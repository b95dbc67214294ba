"""YAML as run files may use it: plain values only, every key once, nothing that expands."""

import re
from collections.abc import Hashable

import yaml

_MAX_CHARACTERS = 1_000_000  # far above any run file; bounds the work that a hostile one can cause


class _PlainLoader(yaml.SafeLoader):
    """SafeLoader without aliases and without repeated keys."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases: a few nested ones expand to gigabytes."""
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]  # not in the stubs
            raise yaml.composer.ComposerError(
                None, None, f"the alias *{event.anchor} is not allowed", event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Hashable, object]:
        """Refuse a repeated key, of which plain YAML silently keeps the last."""
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {name!r} stands twice", key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep)


# YAML 1.1 reads 1e-3 as text; 1.2 and everybody else read a number.
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def parse_yaml(text: str) -> object:
    """Return the one document in ``text`` as plain values; an empty text gives None.

    Raises:
        ValueError: it is not YAML, or uses object tags, aliases or a key twice; the message is
            what is wrong and where, without a full stop.
    """
    if len(text) > _MAX_CHARACTERS:
        raise ValueError(f"it has {len(text)} characters, more than {_MAX_CHARACTERS}")
    try:
        return yaml.load(text, Loader=_PlainLoader)  # a SafeLoader: builds no objects
    except RecursionError as error:
        raise ValueError("its values are nested too deeply") from error
    except yaml.MarkedYAMLError as error:
        raise ValueError(f"{error.problem}{_place(error.problem_mark)}") from error
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def _place(mark: yaml.Mark | None) -> str:
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
