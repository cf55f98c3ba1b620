"""Call Helm, or check objects against Kubernetes' schemas; run by `chart.py` with the libraries of `tests/helm.py`."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any


def render(chart: str, values: dict[str, Any]) -> dict[str, Any]:
    helm: Any = import_module("helm_python.chart")
    errors: Any = import_module("helm_python.errors")
    try:
        with helm.Chart.load(chart) as loaded:
            loaded.validate_schema(values)
            return {"problem": "", "files": loaded.render(values, name="stream", namespace="portal")}
    except errors.HelmError as problem:
        return {"problem": str(problem), "files": {}}


def lint(chart: str, values: dict[str, Any]) -> dict[str, Any]:
    helm: Any = import_module("helm_python.chart")
    found = helm.lint(chart, values, strict=True)
    return {"messages": [entry["error"] for entry in found["messages"] if entry["severity"] > 1] + found["errors"]}


def validate(_: str, given: dict[str, Any]) -> dict[str, Any]:
    schemas: Any = import_module("kubernetes_validate")
    problems = []
    for item in given["objects"]:
        try:
            schemas.validate(item, given["version"], strict=True)
        except schemas.ValidationError as problem:
            problems.append(f"{item['kind']} {item['metadata']['name']}: {problem}")
    return {"problems": problems}


if __name__ == "__main__":
    action, folder = sys.argv[1:]
    result = {"render": render, "lint": lint, "validate": validate}[action](folder, json.load(sys.stdin))
    sys.stdout.write(json.dumps(result))
