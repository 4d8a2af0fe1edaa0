"""The chart: installed by Helm itself in a cluster that only notes, and held against schemas."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.operations.cluster import Object, cluster
from tests.operations.tools import FILES, Wrong, python_tools

_CHART = FILES / "helm" / "spt"
_VERSIONS = ("1.25", "1.30", "1.34", "1.37")
_FOREIGN = {"PodMonitor", "PrometheusRule", "ScaledObject"}
"""Kinds of others than Kubernetes, whose schemas no package has: looked at by hand below."""

_TENANTS = {"tenants": {"secret": "tenants"}}
_ALL: dict[str, Any] = {
    "replicas": 2,
    "weights": "/var/lib/spt/runs/store/vit.safetensors",
    "settings": {"precision": "bfloat16", "front_workers": 8, "pinned": ["pets"]},
    "store": {"existingClaim": "adapters", "readOnly": True},
    "redis": {"secret": "redis"},
    "podMonitor": True,
    "monitoringLabels": {"release": "prometheus"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
    "nodeSelector": {"pool": "gpu"},
}


def check() -> str:
    """Install the chart with few values, with all, and with each kind of scaling.

    Raises:
        Wrong: Helm, a schema or we refuse something; which, and why.
    """
    python_tools()
    files = {
        "alerts": (FILES / "prometheus" / "alerts.yaml").read_text(),
        "dashboard": (FILES / "grafana" / "dashboard.json").read_text(),
    }
    keda = {"kind": "keda", "prometheus": "http://prometheus:9090"}
    variants: dict[str, dict[str, Any]] = {
        "few values": {},
        "all values": _ALL | files,
        "hpa": {"autoscaling": {"kind": "hpa", "queueSeconds": 0.25}},
        "keda": {"autoscaling": keda, "gpu": {"enabled": False}},
    }
    made = {name: installed(_TENANTS | values) for name, values in variants.items()}
    for name, objects in made.items():
        for look in (_refused, _amiss):  # what a schema refuses need not be looked at
            for wrong in look(objects):
                raise Wrong(f"chart with {name}: {wrong}")
    _must_be_refused({}, "tenants.secret")
    _must_be_refused(_TENANTS | {"replica": 2}, "replica")
    _must_be_refused(_TENANTS | {"autoscaling": {"kind": "keda"}}, "autoscaling.prometheus")
    _scaling(made["hpa"], made["keda"])
    count = sum(map(len, made.values()))
    return f"{count} objects of {len(made)} sets of values fit Kubernetes {', '.join(_VERSIONS)}"


def installed(values: dict[str, Any]) -> list[Object]:
    """Return what Helm creates of the chart, without its own record."""
    from helm_sdkpy import Configuration, HelmError, Install  # noqa: PLC0415 (fetched before)

    with TemporaryDirectory() as folder, cluster(Path(folder) / "kubeconfig") as found:
        configuration = Configuration(namespace="vision", kubeconfig=str(found.kubeconfig))
        try:
            install = Install(configuration).run("pets", str(_CHART), values=values, wait=False)
            asyncio.run(install)
        except HelmError as error:
            raise Wrong(str(error)) from error
        return [one for one in found.created if one["kind"] != "Secret"]


def _must_be_refused(values: dict[str, Any], word: str) -> None:
    try:
        installed(values)
    except Wrong as error:
        if word in str(error):
            return
        raise Wrong(f"values without {word} are refused in other words: {error}") from error
    raise Wrong(f"values that are wrong about {word} are taken")


def _refused(objects: list[Object]) -> Iterator[str]:
    """Yield what Kubernetes' own schemas refuse; unknown fields are refused as well."""
    import kubernetes_validate  # noqa: PLC0415 (fetched before)

    for one in objects:
        if one["kind"] not in _FOREIGN:
            for version in _VERSIONS:
                try:
                    kubernetes_validate.validate(one, version, strict=True)
                except kubernetes_validate.ValidationError as error:
                    yield f"Kubernetes {version} refuses {one['kind']}: {error.message}"


def _amiss(objects: list[Object]) -> Iterator[str]:
    """Yield what no schema knows: how a pod ends, what it may write, and what finds it."""
    kinds = {one["kind"]: one for one in objects}
    deployment = kinds["Deployment"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    drain_s = next(float(word[10:]) for word in container["args"] if word.startswith("--drain-s="))
    sleep_s = float(container["lifecycle"]["preStop"]["exec"]["command"][1])
    if pod["terminationGracePeriodSeconds"] <= sleep_s + drain_s + 8:
        yield "the pod is killed before it has answered"
    probed = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in _PROBED}
    if probed != _PROBED:
        yield f"probes ask {probed}"
    if container["resources"]["limits"].get("nvidia.com/gpu", 1) != 1:
        yield "a pod has not one GPU"
    if not container["securityContext"]["readOnlyRootFilesystem"]:
        yield "the image can be written"
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    if mounted != {volume["name"] for volume in pod["volumes"]}:
        yield f"volumes and mounts differ: {mounted}"
    selectors = [
        kinds["Service"]["spec"]["selector"],
        *(one["spec"]["selector"]["matchLabels"] for one in objects if "matchLabels" in str(one)),
    ]
    always = {name: labels[name] for name in _LASTING}
    if not all(selector == always for selector in selectors):
        yield "a selector does not find the pods, or will not after an upgrade"


_LASTING = ("app.kubernetes.io/name", "app.kubernetes.io/instance")
"""Labels that a new version of the chart does not change."""

_PROBED = {"startup": "/readyz", "readiness": "/readyz", "liveness": "/livez"}


def _scaling(hpa: list[Object], keda: list[Object]) -> None:
    """Check that both kinds of scaling own the number of pods, and read the queue."""
    for objects in (hpa, keda):
        (deployment,) = (one for one in objects if one["kind"] == "Deployment")
        if "replicas" in deployment["spec"]:
            raise Wrong("the chart sets the number of pods that an autoscaler owns")
    (scaler,) = (one for one in hpa if one["kind"] == "HorizontalPodAutoscaler")
    (metric,) = scaler["spec"]["metrics"]
    if metric["pods"]["target"] != {"type": "AverageValue", "averageValue": "250m"}:
        raise Wrong(f"0.25 seconds became {metric['pods']['target']}")
    (scaled,) = (one for one in keda if one["kind"] == "ScaledObject")
    (trigger,) = scaled["spec"]["triggers"]
    if trigger["metricType"] != "Value" or trigger["metadata"]["threshold"] != "0.1":
        raise Wrong(f"keda compares {trigger['metricType']} {trigger['metadata']['threshold']}")
