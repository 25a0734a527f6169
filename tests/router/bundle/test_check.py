import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from router.bundle import BundleFinding, check_bundle, load_bundle
from router.bundle.load import bundle_hash
from router.errors import BundleInvalid
from router.testing import ScriptedHeads

pytestmark = pytest.mark.slow

Check = Callable[..., tuple[BundleFinding, ...]]


@pytest.fixture
def folder(tmp_path: Path, starter_folder: Path) -> Path:
    return shutil.copytree(starter_folder, tmp_path / "bundle")


def change(folder: Path, file: str, old: str, new: str) -> int:
    """Replace the first occurrence; return the line it begins on."""
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def test_bytes_that_held_are_not_proved_twice_and_other_bytes_are(folder: Path) -> None:
    first, again = load_bundle(folder), load_bundle(folder)
    change(folder, "lanes.yaml", "model: smollm2-135m-instruct", "model: smollm3")

    assert again.boundary is first.boundary
    with pytest.raises(BundleInvalid, match="unknown model `smollm3`"):
        load_bundle(folder)


def test_the_starter_bundle_checks(starter_folder: Path, heads: ScriptedHeads) -> None:
    assert check_bundle(starter_folder, heads) == ()


@pytest.mark.parametrize(
    ("file", "old", "new", "says", "mends"),
    [
        ("routes.yaml", "lane: fast_small", "lane: fast_smal", "unknown lane `fast_smal`", "`fast_small`"),
        ("ladders.yaml", "lane: premium", "lane: premum", "unknown lane `premum`", "`premium`"),
        ("tenants.yaml", "tools: [ticket_lookup]", "lanes: [moon]", "unknown lane `moon`", "lanes.yaml"),
        (
            "tenants.yaml",
            "tools: [ticket_lookup]",
            "daily_by_route: {suport: {cost_usd: 1}}",
            "unknown route `suport`",
            "support",
        ),
        (
            "tenants.yaml",
            "tools: [ticket_lookup]",
            "daily: {zone: Mars/Olympus}",
            "no time zone 'Mars/Olympus'",
            "",
        ),
        ("lanes.yaml", "model: smollm2-135m-instruct", "model: smollm3", "unknown model `smollm3`", "smollm2"),
        ("routes.yaml", "when: state_changing", "when: state_changing &&", "bad CEL: Syntax error", "docs/policy.md"),
        (
            "routes.yaml",
            "when: stays_private",
            "when: stay_private",
            "unknown variable `stay_private`",
            "stays_private",
        ),
        ("routes.yaml", "when: stays_private", "when: level > 2", "bad CEL", "types"),
        ("routes.yaml", "when: stays_private", 'when: words.matches("x")', "calls matches", "docs/policy.md"),
        ("tiers.yaml", "when: stays_private", "when: risk_tier", "unknown variable `risk_tier`", "level"),
        (
            "routes.yaml",
            "schema: SupportAnswerV3",
            "schema: SupportAnswerV4",
            "unknown contract schema",
            "SupportAnswerV3",
        ),
        (
            "routes.yaml",
            "- name: refund_eligibility",
            "- name: refund_elegibility",
            "unknown tool",
            "refund_eligibility",
        ),
        ("routes.yaml", "on_timeout: private_only", "on_timeout: privat_only", "unknown ladder", "private_only"),
        ("routes.yaml", "on_timeout: private_only", "on_tiemout: private_only", "on_tiemout", "kind"),
        ("tiers.yaml", "- tier: elevated", "- tier: high", "tier profile `high` is there twice", "ID of its own"),
        ("lanes.yaml", "- name: private", "- name: fast_small", "lane `fast_small` is there twice", "ID of its own"),
        ("routes.yaml", "- id: batch", "- id: code", "route `code` is there twice", "ID of its own"),
        (
            "tiers.yaml",
            "- id: regulated-topic",
            "- id: changes-state",
            "`changes-state` is there twice",
            "ID of its own",
        ),
        (
            "boundary/lanes.cedar",
            '@id("residency")',
            '@id("sensitive-stays-private")',
            "is there twice",
            "ID of its own",
        ),
        ("boundary/lanes.cedar", '@id("residency")\n', "", "has no @id", "add @id"),
        ("boundary/lanes.cedar", "context.risk_tier ==", "context.risk_teir ==", "does not fit the schema", "declare"),
        ("boundary/lanes.cedar", 'RiskTier::"restricted"', '"restricted"', "does not fit the schema", "declare"),
        ("boundary/lanes.cedar", 'RiskTier::"restricted"', 'RiskTier::"extreme"', "extreme", "declare"),
        ("boundary/lanes.cedar", "when { !resource.hosted };", "when { !resource.hosted;", "does not parse", "syntax"),
        ("boundary/schema.cedarschema", "region: Region,", "region: Regio,", "Regio", "schema"),
        ("boundary/schema.cedarschema", '"pii", ', "", "knows no category `pii`", "enum"),
        ("boundary/properties.yaml", "must: allow", "must: deny", "breaks `home-is-always-open`", "mend"),
        ("boundary/tests.yaml", "expect: allow", "expect: deny", "the boundary answers allow", "mend"),
        ("contracts/SupportAnswerV3.json", '"minLength": 1,', '"minLength": "one",', "is no JSON Schema", "valid"),
        ("contracts/SupportAnswerV3.json", '"minLength": 1,', '"minLength": 1,,', "is not JSON", "JSON"),
        ("tools/ticket_lookup.yaml", "type: object", "type: objekt", "is no JSON Schema", "valid"),
        (
            "tenants.yaml",
            "jurisdictions: [EU]",
            "jurisdictions: [Atlantis]",
            "knows no jurisdiction `Atlantis`",
            "enum",
        ),
        ("models.yaml", "context_tokens: 4096", "context_tokens: 12", "context_tokens", "kind"),
        ("models.yaml", "licence: Apache-2.0", "license: Apache-2.0", "licence", "licen"),
        ("lanes.yaml", "name: fast_small", "name: fast_small\n    name: quick", "given twice", "YAML"),
        ("lanes.yaml", "label: { level: public }", "label: { categories: [gossip] }", "no category `gossip`", "enum"),
        ("routes.yaml", "index: help_center", "index: help_centre", "unknown index", "did you mean `help_center`"),
        ("lanes.yaml", "  - name: evidence", "  - name: attic", "no store `evidence`", "rest"),
        ("lanes.yaml", "region: us", "region: us\n    redact: [gossip]", "no category `gossip`", "enum"),
        ("tools/ticket_lookup.yaml", "[US, EU, UK]", "[US, Atlantis]", "no jurisdiction `Atlantis`", "enum"),
        ("boundary/tests.yaml", "tool: ticket_lookup", "tool: ticket_lookup\n    lane: premium", "names one", "kind"),
        ("lanes.yaml", "- name: fast_small", "- name: auto", "`auto` is reserved", "rename"),
        (
            "routes.yaml",
            "        required: false",
            "        required: false\n        arguments: model",
            "`arguments: model` does nothing for `refund_eligibility`",
            "required: true",
        ),
        ("lanes.yaml", "- name: fast_small", "- name: fast_small\n    n_plus: 1", "may be down to 1", "`replicas: 2`"),
    ],
)
def test_each_fault_is_named_with_its_file_and_mend(
    folder: Path, heads: ScriptedHeads, file: str, old: str, new: str, says: str, mends: str
) -> None:
    line = change(folder, file, old, new)

    findings = check_bundle(folder, heads)

    named = [one for one in findings if one.file == file and says in one.message and mends in one.mend]
    assert named, findings
    assert any(abs(one.line - line) <= 8 for one in named), (line, named)


def test_a_promise_of_n_plus_one_needs_a_spare_replica_where_the_model_scales(
    folder: Path, heads: ScriptedHeads
) -> None:
    change(folder, "lanes.yaml", "- name: private", "- name: private\n    n_plus: 1")
    change(folder, "models.yaml", "replicas: 1", "scaling: { min_replicas: 2, max_replicas: 4 }")

    (finding,) = check_bundle(folder, heads)

    assert "keeps 0 to spare" in finding.message
    change(folder, "models.yaml", "max_replicas: 4", "max_replicas: 4, spare_replicas: 1")
    assert check_bundle(folder, heads) == ()


def test_an_unknown_lane_is_named_on_its_very_line(folder: Path, heads: ScriptedHeads) -> None:
    line = change(folder, "routes.yaml", "lane: long_context", "lane: long_contex")

    (finding,) = check_bundle(folder, heads)

    assert str(finding) == (
        f"routes.yaml:{line}: unknown lane `long_contex`. Mend: did you mean `long_context`? Or add it to lanes.yaml"
    )


def test_a_type_error_is_named_on_the_line_of_the_word(folder: Path, heads: ScriptedHeads) -> None:
    line = change(folder, "boundary/lanes.cedar", "resource.cleared_for.containsAll", "resource.cleard_for.containsAll")

    assert [(one.file, one.line) for one in check_bundle(folder, heads)] == [("boundary/lanes.cedar", line)]


def test_a_missing_file_is_named(folder: Path, heads: ScriptedHeads) -> None:
    (folder / "tiers.yaml").unlink()

    assert [(one.file, one.message) for one in check_bundle(folder, heads)] == [("tiers.yaml", "the file is missing")]


def test_a_missing_contract_is_named_where_it_is_asked_for(folder: Path, heads: ScriptedHeads) -> None:
    (folder / "contracts/SupportAnswerV3.json").unlink()

    (finding,) = check_bundle(folder, heads)

    assert finding.file == "routes.yaml"
    assert "unknown contract schema `SupportAnswerV3`" in finding.message


def test_rules_are_read_beside_the_schema_and_change_the_hash(folder: Path, heads: ScriptedHeads) -> None:
    before = bundle_hash(folder)
    (folder / "contracts/SupportAnswerV3.rules.yaml").write_text("forbidden: [ssn]\n")

    rules = load_bundle(folder, heads).answer_rules

    assert rules["SupportAnswerV3"].forbidden == ("ssn",)
    assert bundle_hash(folder) != before


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("forbiden: [ssn]", "forbiden: Extra inputs are not permitted"),
        ("length: [{of: /answer}]", "length.0: a length rule sets at least one bound"),
        ("length: [{words_at_least: 9, words_at_most: 3}]", "length.0: no text has at least 9 and at most 3 words"),
        ("language: [{any_of: [tlh]}]", "language.0.any_of.0: Input should be"),
    ],
)
def test_rules_that_can_t_be_kept_are_findings(folder: Path, heads: ScriptedHeads, rules: str, message: str) -> None:
    (folder / "contracts/SupportAnswerV3.rules.yaml").write_text(rules + "\n")

    finding = check_bundle(folder, heads)[0]

    assert finding.file == "contracts/SupportAnswerV3.rules.yaml"
    assert finding.message.startswith(message)


def test_a_strict_contract_that_the_engine_can_t_enforce_is_a_finding(folder: Path, heads: ScriptedHeads) -> None:
    line = change(folder, "contracts/SupportAnswerV3.json", '"maxItems": 6', '"maxItems": 6, "uniqueItems": true')

    (finding,) = check_bundle(folder, heads)
    (folder / "contracts/SupportAnswerV3.rules.yaml").write_text("strict: false\n")

    assert (finding.file, finding.line) == ("contracts/SupportAnswerV3.json", line)
    assert "at #/properties/citations/uniqueItems" in finding.message
    assert check_bundle(folder, heads) == ()


def test_a_model_reads_arguments_only_for_a_tool_whose_schema_the_engine_can_be_held_to(
    folder: Path, heads: ScriptedHeads
) -> None:
    change(folder, "routes.yaml", "on_missing: answer", "arguments: model\n        on_missing: answer")
    assert check_bundle(folder, heads) == ()

    change(
        folder,
        "tools/ticket_lookup.yaml",
        "  required: [ticket_id]",
        "  required: [ticket_id]\n  not: { maxProperties: 0 }",
    )

    (finding,) = check_bundle(folder, heads)
    assert finding.file == "routes.yaml"
    assert "no engine can be held to the parameters of `ticket_lookup`" in finding.message


def test_the_people_that_the_starter_shows_in_comments_make_a_bundle_that_checks(
    folder: Path, heads: ScriptedHeads
) -> None:
    for file, block in (("lanes.yaml", "support_desk"), ("ladders.yaml", "private_then_person")):
        (folder / file).write_text(uncommented((folder / file).read_text(), f"- name: {block}"))
    for cause in ("on_refusal", "on_check"):
        change(folder, "routes.yaml", f"# {cause}: private_then_person", f"{cause}: private_then_person")

    assert check_bundle(folder, heads) == ()

    bundle = load_bundle(folder, heads)
    route = next(one for one in bundle.routes if one.spec.id == "sensitive_private")
    assert bundle.lanes["support_desk"].people is not None
    assert {"refusal", "check"} <= {cause for step in route.steps if step.lane == "support_desk" for cause in step.on}


def uncommented(text: str, begins: str) -> str:
    """The text without the comment signs of the block that begins so, up to the next line that is no comment."""
    before, _, rest = text.partition(f"  # {begins}")
    lines = rest.split("\n")
    ends = next((at for at, line in enumerate(lines[1:], 1) if not line.startswith("  #   ")), len(lines))
    return "\n".join([f"{before}  {begins}{lines[0]}", *(f"  {line[4:]}" for line in lines[1:ends]), *lines[ends:]])


def test_a_route_behind_one_that_takes_everything_is_unreachable(folder: Path, heads: ScriptedHeads) -> None:
    change(folder, "routes.yaml", 'when: mode == "batch"', "when: input_tokens >= 1")

    findings = check_bundle(folder, heads)

    assert [one.message for one in findings] == [
        "no request reaches the route `hard_question`",
        "no request reaches the route `everyday`",
    ]


@pytest.mark.parametrize(
    "condition",
    [
        'intent == "no_such_intent"',
        "input_tokens > 5 && input_tokens < 6",
        'risk_tier == "low" && risk_tier == "high"',
        'stays_private && level == "public" && size(categories) == 0',
        'level == "public" && "health" in categories',
        'mode == "batch" && state_changing && !state_changing',
    ],
)
def test_a_condition_that_nothing_meets_is_unreachable(folder: Path, heads: ScriptedHeads, condition: str) -> None:
    line = change(folder, "routes.yaml", 'when: mode == "batch"', f"when: '{condition}'")

    (finding,) = check_bundle(folder, heads)

    assert finding.message.startswith("no request reaches the route `batch`")
    assert finding.line == line


@pytest.mark.parametrize(
    "condition",
    [
        'intent == "book_flight" && domain == "travel"',
        'confidence < 0.4 && metadata.exists(key, key == "team")',
        'size(regulated) == 2 && "health" in regulated',
        'org == "example-eu" && "EU" in jurisdictions',
        'words.contains(" bank holiday ") && channel == "web"',
        "difficulty > 0.71 && difficulty < 0.73",
    ],
)
def test_a_condition_that_some_request_meets_is_no_finding(folder: Path, heads: ScriptedHeads, condition: str) -> None:
    change(folder, "routes.yaml", 'when: mode == "batch"', f"when: '{condition}'")

    assert check_bundle(folder, heads) == ()


def test_an_empty_ladder_ends_in_nothing(folder: Path, heads: ScriptedHeads) -> None:
    change(folder, "ladders.yaml", "steps:\n      - lane: private\n", "steps: []\n")

    messages = [one.message for one in check_bundle(folder, heads)]

    assert any("ladder `premium_then_private`" in one or "has no step" in one for one in messages), messages


def test_a_route_whose_lanes_are_all_closed_to_a_label_that_reaches_it_ends_in_nothing(
    folder: Path, heads: ScriptedHeads
) -> None:
    line = change(folder, "routes.yaml", "lane: private\n    fallback:\n", "lane: premium\n    fallback:\n") - 4

    findings = check_bundle(folder, heads)

    assert len(findings) == 1
    assert "the ladder of `sensitive_private` ends in nothing for" in findings[0].message
    assert "sensitive-stays-private" in findings[0].message
    assert abs(findings[0].line - line) <= 2
    assert "on_boundary" in findings[0].mend


def test_a_route_that_only_unsensitive_requests_reach_needs_no_boundary_ladder(
    folder: Path, heads: ScriptedHeads
) -> None:
    # Tenants under EU law reach it too, so the hosted lane must be one that may take their data.
    change(folder, "routes.yaml", "when: difficulty >= 0.6", "when: size(jurisdictions) == 0 && difficulty >= 0.6")
    change(
        folder,
        "routes.yaml",
        "lane: premium\n    fallback:\n      on_boundary: private_only\n",
        "lane: premium\n    fallback:\n",
    )

    assert check_bundle(folder, heads) == ()


def test_several_faults_are_all_named_at_once(folder: Path, heads: ScriptedHeads) -> None:
    change(folder, "ladders.yaml", "lane: premium", "lane: premum")
    change(folder, "routes.yaml", "when: state_changing", "when: state_changing &&")
    change(folder, "routes.yaml", 'when: mode == "batch"', "when: input_tokens >= 1")
    change(folder, "boundary/lanes.cedar", "context.risk_tier ==", "context.risk_teir ==")

    messages = "\n".join(str(one) for one in check_bundle(folder, heads))

    for said in (
        "unknown lane `premum`",
        "bad CEL",
        "no request reaches the route `everyday`",
        "does not fit the schema",
    ):
        assert said in messages


def test_loading_a_broken_bundle_raises_with_every_finding(folder: Path, heads: ScriptedHeads) -> None:
    change(folder, "ladders.yaml", "lane: premium", "lane: premum")
    change(folder, "tenants.yaml", "tools: [ticket_lookup]", "lanes: [moon]")

    with pytest.raises(BundleInvalid, match=r"ladders\.yaml:\d+: unknown lane(.|\n)*tenants\.yaml:\d+: unknown lane"):
        load_bundle(folder, heads)


def test_a_bundle_of_nothing_is_all_findings_and_no_crash(tmp_path: Path, heads: ScriptedHeads) -> None:
    files = {one.file for one in check_bundle(tmp_path / "nowhere", heads)}

    assert {
        "models.yaml",
        "lanes.yaml",
        "routes.yaml",
        "tiers.yaml",
        "ladders.yaml",
        "tenants.yaml",
        "boundary",
    } <= files


def test_the_hash_names_paths_and_bytes_and_nothing_else(folder: Path) -> None:
    before = bundle_hash(folder)

    (folder / ".editor").write_text("scratch")
    assert bundle_hash(folder) == before

    (folder / "tiers.yaml").rename(folder / "tiers2.yaml")
    renamed = bundle_hash(folder)
    (folder / "tiers2.yaml").rename(folder / "tiers.yaml")
    assert bundle_hash(folder) == before != renamed

    change(folder, "tiers.yaml", "raise_at: 0.5", "raise_at: 0.6")
    assert bundle_hash(folder) != before
