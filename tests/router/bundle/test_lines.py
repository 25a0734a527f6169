import pytest

from router.bundle.lines import YamlProblem, read_yaml


def test_each_part_has_the_line_it_begins_on() -> None:
    document = read_yaml("lanes:\n  - name: a\n    model: b\n  - name: c\n")

    assert document.value == {"lanes": [{"name": "a", "model": "b"}, {"name": "c"}]}
    assert document.line(("lanes", 0, "model")) == 3
    assert document.line(("lanes", 1, "name")) == 4
    assert document.line(("lanes", 1, "missing", "deeper")) == 4


def test_a_key_given_twice_is_refused_on_its_second_line() -> None:
    with pytest.raises(YamlProblem, match="`lane` is given twice") as caught:
        read_yaml("lane: a\nmodel: b\nlane: c\n")

    assert caught.value.line == 3


def test_on_off_no_and_dates_are_words() -> None:
    assert read_yaml("a: on\nb: no\nc: 2026-01-01\nd: 1:30\ne: true\nf: 3\ng: 0.5\nh: 1e3\ni: null\nj: -2\n").value == {
        "a": "on",
        "b": "no",
        "c": "2026-01-01",
        "d": "1:30",
        "e": True,
        "f": 3,
        "g": 0.5,
        "h": 1000.0,
        "i": None,
        "j": -2,
    }


def test_broken_yaml_names_its_line() -> None:
    with pytest.raises(YamlProblem) as caught:
        read_yaml("a: 1\nb: [1, 2\nc: 3\n")

    assert caught.value.line in {2, 3}


def test_a_tag_that_would_build_an_object_is_refused() -> None:
    with pytest.raises(YamlProblem):
        read_yaml("a: !!python/object/apply:os.system ['true']\n")
