"""What does Serve import where KubeRay deploys it? Each application of a bundle, made from the environment of the pod (`LANE_...`).

On machines of our own `serving.cluster_process` does this; KubeRay has no such driver: its operator hands Serve an import path.
"""

import sys

from ray import serve

from cluster.render.kuberay import TOOLS, model_application_name
from router.bundle import load_bundle
from router.tools.places import runs_inside
from serving.app import application, deep_scan_application, tools_application
from serving.in_service import InService, write_in_service
from serving.private.deployment import private_application
from serving.private.weights import WeightsPolicy
from serving.secrets import ensure_secrets
from serving.settings import read_settings


def lane(_arguments: dict[str, str]) -> serve.Application:
    """Return the application of ingress and keeper."""
    return application(read_settings())


def model(arguments: dict[str, str]) -> serve.Application:
    """Return the application of the bundle's private model `name`. Raises `BundleInvalid`."""
    settings = read_settings()
    spec = load_bundle(settings.bundle).models[arguments["name"]]
    weights = WeightsPolicy(signers=settings.model_signers, source=settings.models_from)
    return private_application(spec, settings.models / spec.folder, weights)


def deep_scan(_arguments: dict[str, str]) -> serve.Application:
    """Return the application that reads what is about to leave."""
    return deep_scan_application(read_settings())


def tools(_arguments: dict[str, str]) -> serve.Application:
    """Return the application that the bundle's server-side tools run in."""
    settings = read_settings()
    return tools_application(settings, settings.bundle)


def prepare() -> None:
    """Make the secrets that the head's home lacks, and say which applications serve the bundle: its init container runs this."""
    settings = read_settings()
    bundle = load_bundle(settings.bundle)
    ensure_secrets(settings, bundle)
    write_in_service(
        settings,
        InService(
            bundle_hash=bundle.hash,
            folder=bundle.root,
            models={name: model_application_name(name) for name in bundle.models},
            hosted=any(one.is_hosted for one in bundle.lanes.values()),
            tools=TOOLS if runs_inside(bundle.tools) else None,
        ),
    )


if __name__ == "__main__":
    if sys.argv[1:] != ["prepare"]:
        sys.exit("python -m serving.kuberay prepare")
    prepare()
