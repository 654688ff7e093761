import pytest

from tests.repo.tree import name_of, python_files

SAYS_NOTHING = {"common", "helper", "helpers", "manager", "managers", "util", "utils"}


def says_nothing(name: str) -> bool:
    """Whether a module's path holds a word that fits any content and so describes none."""
    words = name.removesuffix(".py").replace("/", "_").split("_")
    return not SAYS_NOTHING.isdisjoint(words)


def test_every_module_is_named_for_what_it_holds() -> None:
    assert [name for name in map(name_of, python_files()) if says_nothing(name)] == []


@pytest.mark.parametrize(
    "name", ["core/utils.py", "core/test_helpers.py", "common/x.py", "budget_manager.py"]
)
def test_a_name_that_fits_anything_is_noticed(name: str) -> None:
    assert says_nothing(name)


def test_a_word_inside_another_word_is_not_noticed() -> None:
    assert not says_nothing("core/uncommon.py")
