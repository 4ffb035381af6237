"""Names in the settings that nothing would read: a section of the environment, and an engine's table.

Wrong keys of a section are refused by its class; these two would pass in silence.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from agent.engines.registry import listed, names


def sections(environment: Mapping[str, str], prefix: str, known: Collection[str]) -> Iterator[str]:
    """What is wrong with each variable whose section is none of the known.

    :param prefix: of our variables, such as ``ANTIPHON__``.
    """
    for variable in sorted(environment):
        if variable.upper().startswith(prefix):
            section = variable[len(prefix) :].partition("__")[0].lower()
            if section not in known:
                yield f"{variable}: there is no section {section!r}; {listed(section, known)}"


def tables(group: str, given: Collection[str]) -> Iterator[str]:
    """What is wrong with each engine's table whose engine is not installed."""
    known = names(group) if given else []
    for table in given:
        if table not in known:
            yield f"[{group}.{table}]: there is no {group} engine {table!r}; {listed(table, known)}"
