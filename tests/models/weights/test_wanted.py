"""Weights and words come here; code and other weight formats stay where they are, and each is named."""

from hypothesis import given
from hypothesis import strategies as st

from models.manifest import CODE_SUFFIXES, WEIGHT_SUFFIXES_REFUSED
from models.weights.source import RemoteFile
from models.weights.wanted import choose


def _names(*names: str) -> tuple[RemoteFile, ...]:
    return tuple(RemoteFile(name, 1) for name in names)


def test_a_hub_repository_gives_its_safetensors_tokenizer_templates_and_licence_and_the_rest_is_named() -> None:
    choice = choose(
        _names(
            "model-00001-of-00002.safetensors",
            "model.safetensors.index.json",
            "config.json",
            "tokenizer.json",
            "chat_template.jinja",
            "LICENSE",
            "consolidated.safetensors",
            "original/consolidated.00.pth",
            "original/params.json",
            "modeling_evil.py",
            "pytorch_model.bin",
            "README.md",
            ".gitattributes",
        )
    )

    assert [file.name for file in choice.wanted] == [
        "model-00001-of-00002.safetensors",
        "model.safetensors.index.json",
        "config.json",
        "tokenizer.json",
        "chat_template.jinja",
        "LICENSE",
    ]
    left = {flaw.file: flaw.because for flaw in choice.left}
    assert left["modeling_evil.py"].startswith("code")
    assert left["pytorch_model.bin"].startswith("weights in .bin format")
    assert left["consolidated.safetensors"] == "the same weights once more, in one piece"
    assert left["original/params.json"].startswith("in a folder below")
    assert len(choice.wanted) + len(choice.left) == 13


def test_a_model_that_has_only_consolidated_weights_gives_them() -> None:
    assert [file.name for file in choose(_names("consolidated.safetensors", "params.json")).wanted] == [
        "consolidated.safetensors",
        "params.json",
    ]


def test_a_pooling_layer_brings_its_configuration() -> None:
    assert [file.name for file in choose(_names("model.safetensors", "1_Pooling/config.json")).wanted] == [
        "model.safetensors",
        "1_Pooling/config.json",
    ]


@given(
    name=st.one_of(
        st.sampled_from(["../model.safetensors", "/etc/model.safetensors", "a/../../config.json", "..\\x.json"]),
        st.builds(
            lambda stem, suffix: f"{stem}{suffix}",
            st.text("abcXYZ0_", min_size=1, max_size=8),
            st.sampled_from(sorted(CODE_SUFFIXES | WEIGHT_SUFFIXES_REFUSED)),
        ),
    )
)
def test_no_code_and_no_path_out_of_the_folder_is_ever_wanted(name: str) -> None:
    choice = choose(_names(name))

    assert choice.wanted == ()
    assert [flaw.file for flaw in choice.left] == [name]
