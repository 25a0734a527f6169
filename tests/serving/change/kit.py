"""A home with approvers, a bundle to change, and a way to sign it: everything real, in a temporary folder."""

import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from router.bundle.load import bundle_hash
from serving.change.apply import Home, apply_bundle
from serving.change.approval import sign_bundle
from serving.change.approvers import make_key, read_key, trust
from serving.change.history import Entry, in_force
from serving.change.store import write_signature
from serving.settings import Settings

STARTER = Path(__file__).parents[3] / "config" / "starter"
TIGHTER = ("tiers.yaml", "raise_at: 0.5", "raise_at: 0.4")
WIDER = ("tiers.yaml", "raise_at: 0.5", "raise_at: 0.6")


@dataclass
class Place:
    """A home and a bundle's folder. `people` are the approvers whose private keys are at hand."""

    home: Home
    bundle: Path
    people: dict[str, Path]

    @property
    def settings(self) -> Settings:
        return self.home.settings

    @property
    def hash(self) -> str:
        return bundle_hash(self.bundle)

    @property
    def in_force(self) -> str | None:
        entry = in_force(self.settings.changes_file)
        return entry.change.bundle_hash if entry else None

    def name_approvers(self, *names: str) -> None:
        for name in names:
            private, public = make_key(name, self.settings.home.parent / "people")
            self.people[name] = private
            trust(public, name, self.settings.approvers)

    def copied_to(self, folder: Path) -> "Place":
        """The same place in another folder, so that a test need not make it anew."""
        shutil.copytree(self.settings.home.parent, folder, dirs_exist_ok=True)
        people = {name: folder / "people" / file.name for name, file in self.people.items()}
        settings = self.settings.model_copy(update={"home": folder / "home", "bundle": folder / "bundle"})
        return Place(Home(settings, time.time), folder / "bundle", people)

    def sign(self, *names: str) -> None:
        for name in names:
            write_signature(self.bundle, sign_bundle(self.hash, read_key(self.people[name]), int(time.time())))

    def edit(self, file: str, old: str, new: str) -> None:
        text = (self.bundle / file).read_text()
        assert old in text
        (self.bundle / file).write_text(text.replace(old, new))

    def apply(self) -> Entry | None:
        return apply_bundle(self.bundle, self.home)

    def apply_signed(self, *names: str) -> str:
        self.sign(*names)
        entry = self.apply()
        assert entry is not None
        return entry.change.bundle_hash


LANES = """
lanes:
  - name: private
    model: smollm2-135m-instruct
    jurisdictions: [US, EU]
  - name: premium
    hosted: { provider: openai, base_url: https://api.openai.com/v1, model: gpt, api_key_env: OPENAI_API_KEY, region: us }
    jurisdictions: [US]
"""
ROUTES = """
routes:
  - { id: stays, because: it is protected, when: stays_private, lane: private }
  - { id: goes, because: it is hard, lane: premium, fallback: { on_boundary: home } }
"""
TENANTS = """
tenants:
  - org: local
  - org: example-eu
    label: { jurisdictions: [EU] }
"""
FILES = {
    "lanes.yaml": LANES,
    "routes.yaml": ROUTES,
    "tenants.yaml": TENANTS,
    "ladders.yaml": "ladders: [{ name: home, purpose: nowhere else, steps: [{ lane: private }] }]",
    "boundary/properties.yaml": "properties: [{ id: secrets-stay, because: x, when: hosted && level == 'restricted', must: deny }]",
    "boundary/tests.yaml": "tests: [{ name: open text may leave, org: local, lane: premium, expect: allow }]",
}


def a_bundle(folder: Path) -> Path:
    """A bundle with the starter's policies and tiers, and few lanes, tenants and laws: quick to compare."""
    shutil.copytree(STARTER, folder, ignore=shutil.ignore_patterns("tools", "contracts"))
    for name, text in FILES.items():
        (folder / name).write_text(text)
    schema = folder / "boundary" / "schema.cedarschema"
    laws = r'\1 ["US", "EU", "unknown"]'
    schema.write_text(re.sub(r"(entity Jurisdiction enum) \[[^]]*\]", laws, schema.read_text()))
    return folder


def a_place(folder: Path) -> Place:
    """An empty home, nobody named, and a bundle."""
    bundle = a_bundle(folder / "bundle")
    settings = Settings(home=folder / "home", bundle=bundle, models=folder / "models")
    return Place(Home(settings, time.time), bundle, {})
