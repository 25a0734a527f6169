"""What do a bundle's files say, each on its own? Read once, with lines; what can't be read becomes a finding, the rest is still read."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from router.bundle.answer_rules import ContractRules
from router.bundle.cases import CasesFile
from router.bundle.cedar import CedarFile, read_cedar
from router.bundle.files import LaddersFile, LanesFile, ModelsFile, RoutesFile, TenantsFile, TiersFile, ToolFile
from router.bundle.finding import BundleFinding
from router.bundle.lines import Document, YamlProblem, read_yaml
from router.bundle.promises import BoundaryProperty, BoundaryTestsFile, PropertiesFile

FileT = TypeVar("FileT", bound=BaseModel)
_EMPTY = Document(None, {})


@dataclass(slots=True)
class Source:
    """A bundle as read. A part is None (or absent) when its file could not be read; `findings` then says why.

    `unkept` is what is wrong with a bundle that holds together: promises that its boundary breaks, routes that nobody reaches, ladders
    that end in nothing. Such a bundle can be looked at; it is never run.
    """

    files: Mapping[str, bytes]
    documents: dict[str, Document] = field(default_factory=dict)
    findings: list[BundleFinding] = field(default_factory=list)
    unkept: list[BundleFinding] = field(default_factory=list)
    models: ModelsFile | None = None
    lanes: LanesFile | None = None
    ladders: LaddersFile | None = None
    tiers: TiersFile | None = None
    routes: RoutesFile | None = None
    tenants: TenantsFile | None = None
    tools: dict[str, ToolFile] = field(default_factory=dict)
    contracts: dict[str, str] = field(default_factory=dict)
    answer_rules: dict[str, ContractRules] = field(default_factory=dict)
    policies: list[CedarFile] = field(default_factory=list)
    schema: str | None = None
    properties: PropertiesFile | None = None
    tests: BoundaryTestsFile | None = None
    cases: dict[str, CasesFile] = field(default_factory=dict)

    @property
    def promised(self) -> tuple[BoundaryProperty, ...]:
        """The properties that the boundary must keep; none where the file is left out."""
        return self.properties.properties if self.properties else ()

    @property
    def hash(self) -> str:
        """SHA-256 over each file's relative path and bytes, in the order of the paths."""
        digest = hashlib.sha256()
        for name in sorted(self.files):
            digest.update(f"{len(name.encode())}:{name}:{len(self.files[name])}:".encode())
            digest.update(self.files[name])
        return digest.hexdigest()

    def line(self, file: str, *path: str | int) -> int:
        """Return the line on which a part of a YAML file begins."""
        return self.documents.get(file, _EMPTY).line(path)

    def find(self, file: str, line: int, message: str, mend: str) -> None:
        """Note a finding."""
        self.findings.append(BundleFinding(file, line, message, mend))

    def doubt(self, file: str, line: int, message: str, mend: str) -> None:
        """Note what is wrong with a bundle that can still be looked at."""
        self.unkept.append(BundleFinding(file, line, message, mend))


SCHEMA_FILE = "boundary/schema.cedarschema"


def read_source(root: Path) -> Source:
    """Read every file below a bundle's folder (dotfiles aside) and parse each by its place."""
    source = Source(_read_bytes(root))
    source.models = _parse(source, "models.yaml", ModelsFile)
    source.lanes = _parse(source, "lanes.yaml", LanesFile)
    source.ladders = _parse(source, "ladders.yaml", LaddersFile)
    source.tiers = _parse(source, "tiers.yaml", TiersFile)
    source.routes = _parse(source, "routes.yaml", RoutesFile)
    source.tenants = _parse(source, "tenants.yaml", TenantsFile)
    source.properties = _parse(source, "boundary/properties.yaml", PropertiesFile, required=False)
    source.tests = _parse(source, "boundary/tests.yaml", BoundaryTestsFile, required=False)
    for name in sorted(source.files):
        if name.startswith("tools/") and name.endswith(".yaml"):
            tool = _parse(source, name, ToolFile)
            if tool is not None:
                source.tools[name] = tool
        elif name == "tests.yaml" or (name.startswith("tests/") and name.endswith(".yaml")):
            cases = _parse(source, name, CasesFile)
            if cases is not None:
                source.cases[name] = cases
        elif name.startswith("contracts/") and name.endswith(".json"):
            text = _text(source, name)
            if text is not None:
                source.contracts[name] = text
        elif name.startswith("contracts/") and name.endswith(".rules.yaml"):
            rules = _parse(source, name, ContractRules)
            if rules is not None:
                source.answer_rules[name] = rules
    _read_boundary(source)
    return source


def _read_bytes(root: Path) -> dict[str, bytes]:
    if not root.is_dir():
        return {}
    found = (path for path in root.rglob("*") if path.is_file())
    names = {path.relative_to(root).as_posix(): path for path in found}
    return {name: path.read_bytes() for name, path in sorted(names.items()) if not _is_dotfile(name)}


def _is_dotfile(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _text(source: Source, name: str) -> str | None:
    try:
        return source.files[name].decode()
    except UnicodeDecodeError as error:
        line = source.files[name][: error.start].count(b"\n") + 1
        source.find(name, line, "is not UTF-8 text", "save the file as UTF-8")
        return None


def _parse(source: Source, name: str, shape: type[FileT], *, required: bool = True) -> FileT | None:
    """Parse one YAML file into its shape, or note what is wrong with it, field by field."""
    if name not in source.files:
        if required:
            source.find(name, 1, "the file is missing", f"add {name}; config/starter has one to start from")
        return None
    text = _text(source, name)
    if text is None:
        return None
    try:
        document = read_yaml(text)
    except YamlProblem as problem:
        source.find(name, problem.line, problem.message, "mend the YAML on this line")
        return None
    source.documents[name] = document
    try:
        return shape.model_validate(document.value)
    except ValidationError as error:
        for part in error.errors(include_url=False, include_input=False):
            where = ".".join(str(step) for step in part["loc"]) or "the file"
            message = f"{where}: {part['msg'].removeprefix('Value error, ')}"
            source.find(name, document.line(part["loc"]), message, _mend(part["type"], part["loc"], shape))
        return None


def _mend(kind: str, place: tuple[str | int, ...], shape: type[BaseModel]) -> str:
    last = place[-1] if place else shape.__name__
    if kind == "extra_forbidden":
        return f"remove `{last}`, or spell it as the file's other entries do"
    if kind == "missing":
        return f"add `{last}`"
    return f"give `{last}` a value of the kind the message asks for"


def _read_boundary(source: Source) -> None:
    names = [name for name in source.files if name.startswith("boundary/") and name.endswith(".cedar")]
    for name in names:
        text = _text(source, name)
        if text is not None:
            file, problems = read_cedar(name, text)
            source.policies.append(file)
            source.findings.extend(problems)
    if not names:
        source.find("boundary", 1, "there is no policy: everything is denied", "add a .cedar file with a permit")
    if SCHEMA_FILE not in source.files:
        source.find(SCHEMA_FILE, 1, "the file is missing", "add the schema; config/starter has one to start from")
    else:
        source.schema = _text(source, SCHEMA_FILE)
