"""Render the Helm chart for the tests: Helm runs in a process of its own, since it brings Go's runtime."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.deployment.compose import ROOT
from tests.helm import FOLDER as TOOLS

if TYPE_CHECKING:
    from collections.abc import Mapping

CHART = ROOT / "deploy" / "helm" / "aggregator"
SECRETS = "/run/secrets/aggregator/"  # where pods find their secrets
_PROGRAM = Path(__file__).parent / "run_helm.py"


@dataclass(frozen=True)
class Rendered:
    """What Helm makes of the chart with some values."""

    problem: str  # of Helm
    objects: list[dict[str, Any]]

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return the object of that kind and name, which begins with the release's."""
        of_kind = [item for item in self.objects if item["kind"] == kind]
        (found,) = (item for item in of_kind if item["metadata"]["name"] == f"stream-{name}")
        return found

    def kinds(self) -> set[str]:
        """Return the kinds of all objects."""
        return {item["kind"] for item in self.objects}

    def pods(self) -> dict[str, Pod]:
        """Return the specifications of all pods by component."""
        found = {}
        for item in self.objects:
            if item["kind"] in {"Deployment", "Job"}:
                component = item["metadata"]["labels"]["app.kubernetes.io/component"]
                found[component] = Pod(component, item["spec"]["template"]["spec"])
        return found


@dataclass(frozen=True)
class Pod:
    """The specification of a pod with one container."""

    component: str
    spec: dict[str, Any]

    @property
    def container(self) -> dict[str, Any]:
        """Its container."""
        (found,) = self.spec["containers"]
        return dict(found)

    @property
    def environment(self) -> dict[str, str]:
        """Its variables."""
        return {entry["name"]: entry["value"] for entry in self.container["env"]}

    @property
    def secrets(self) -> dict[str, str]:
        """The Secret behind each of its files."""
        (volume,) = (volume for volume in self.spec["volumes"] if volume["name"] == "secrets")
        sources = [source["secret"] for source in volume["projected"]["sources"]]
        return {source["items"][0]["path"]: source["name"] for source in sources}


def render(values: Mapping[str, Any]) -> Rendered:
    """Render the chart as the release 'stream'."""
    result = _helm("render", values)
    texts = [text for name, text in result["files"].items() if not name.endswith(".txt")]
    objects = [item for text in texts for item in yaml.safe_load_all(text) if item]
    return Rendered(result["problem"], objects)


def lint(values: Mapping[str, Any]) -> list[str]:
    """Return Helm's warnings and errors about the chart."""
    problems: list[str] = _helm("lint", values)["messages"]
    return problems


def violations(objects: list[dict[str, Any]], version: str) -> list[str]:
    """Return what Kubernetes of that version would refuse; kinds of extensions are not checked."""
    known = [item for item in objects if "keda.sh" not in item["apiVersion"] and "coreos" not in item["apiVersion"]]
    problems: list[str] = _helm("validate", {"objects": known, "version": version})["problems"]
    return problems


def _helm(action: str, values: Mapping[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(_PROGRAM), action, str(CHART)],
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(TOOLS)},
        input=json.dumps(values),
        capture_output=True,
        text=True,
        timeout=120,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result
