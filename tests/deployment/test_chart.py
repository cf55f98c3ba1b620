"""Check the Helm chart: Helm renders it, Kubernetes' schemas accept the result, and it fits the compose file."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from aggregator.config.settings import OPTIONS, Settings, every_option
from aggregator.container import Container
from tests import helm
from tests.deployment.chart import CHART, SECRETS, Pod, Rendered, lint, render, violations
from tests.deployment.compose import ROOT, services, size
from worker import create_app

if TYPE_CHECKING:
    from pathlib import Path

MARGIN = 10.0  # seconds that a worker takes beyond its soft shutdown: seen were three
OLDEST, NEWEST = "1.25", "1.37"  # versions of Kubernetes
VALUES = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
FULL: dict[str, Any] = {
    "image": {"repository": "images.example/aggregator", "tag": "1", "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "pull"}],
    "secrets": {name: {"name": f"given-{name.lower()}"} for name in VALUES["secrets"]},
    "settings": {"AGGREGATOR_CONTACT_URL": "https://portal.example/", "AGGREGATOR_POLLS_PER_MINUTE": 300},
    "portal": {"files": {"portal.toml": 'title = "A {{ title }}"\n'}},
    "listener": {"enabled": True},
    "ingress": {"enabled": True, "className": "nginx", "host": "stream.example", "tlsSecret": "tls"},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "keda": {"enabled": True},
    "podAnnotations": {"team": "web"},
    "priorityClassName": "high",
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "busy", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
}
CONTENTS = {
    "databaseUrl": "postgresql://aggregator:word@postgres/aggregator",
    "brokerUrl": "redis://:word@redis:6379/0",
    "secretKey": "k" * 43,
}

with_helm = [
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.skipif(not helm.is_installed(), reason=helm.HOW),
]


@pytest.fixture(scope="module")
def plain() -> Rendered:
    return _without_problem({})


@pytest.fixture(scope="module")
def full() -> Rendered:
    return _without_problem(FULL)


def _without_problem(values: dict[str, Any]) -> Rendered:
    rendered = render(values)
    assert rendered.problem == ""
    return rendered


def _settings(pod: Pod, folder: Path) -> Settings:
    """Load the settings from a pod's variables, with files for its secrets."""
    environ = dict(pod.environment)
    for name, value in environ.items():
        if value.startswith(SECRETS):
            file = folder / value.removeprefix(SECRETS)
            file.write_text(CONTENTS.get(file.name, ""), encoding="utf-8")
            environ[name] = str(file)
        elif name == "AGGREGATOR_CONFIG_DIR":
            environ[name] = str(folder)
    return Settings.from_environment(environ)


def test_its_version_is_ours() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert chart["version"] == chart["appVersion"] == version


def test_settings_refuse_what_comes_as_a_file() -> None:
    refused = set(SCHEMA["properties"]["settings"]["propertyNames"]["not"]["enum"])
    assert {option.variable for option in every_option() if option.secret} <= refused
    assert set(VALUES["settings"]) <= {option.variable for option in OPTIONS.values()} - refused


def test_each_secret_setting_can_be_given() -> None:
    helpers = (CHART / "templates" / "_helpers.tpl").read_text(encoding="utf-8")
    table = dict(re.findall(r"^(\w+): (AGGREGATOR_\w+)$", helpers, re.MULTILINE))
    assert set(table.values()) == {option.variable for option in every_option() if option.secret}
    assert set(table) == set(VALUES["secrets"]) == set(SCHEMA["properties"]["secrets"]["properties"])


def test_the_schema_knows_all_values() -> None:
    assert set(VALUES) | {"global"} == set(SCHEMA["properties"])


def test_keda_asks_for_a_metric_that_the_alert_rules_use() -> None:
    # Those exist, as another test shows.
    (metric,) = re.findall(r"aggregator_\w+", VALUES["keda"]["query"])
    assert metric in (ROOT / "deploy" / "monitoring" / "alerts.yml").read_text(encoding="utf-8")


class TestRendered:
    pytestmark = with_helm

    @pytest.mark.parametrize("values", [{}, FULL], ids=["plain", "full"])
    def test_helm_finds_nothing_wrong(self, values: dict[str, Any]) -> None:
        assert lint(values) == []

    @pytest.mark.parametrize("version", [OLDEST, NEWEST])
    def test_kubernetes_accepts_it(self, plain: Rendered, full: Rendered, version: str) -> None:
        assert violations([*plain.objects, *full.objects], version) == []

    def test_the_schemas_find_an_unknown_field(self, plain: Rendered) -> None:
        item = plain.get("Deployment", "aggregator-reader")
        broken = {**item, "spec": {**item["spec"], "replica": 2}}
        assert len(violations([broken], NEWEST)) == 1

    @pytest.mark.parametrize(
        "values",
        [
            {"settings": {"AGGREGATOR_SECRET_KEY": "k" * 43}},
            {"secrets": {"databaseUrl": {"name": ""}}},
            {"worker": {}},
            {"keda": {"minReplicas": 0}},
            {"portal": {"files": {"secret.txt": "x"}}},
        ],
        ids=["secret-setting", "no-database", "unknown", "no-worker", "unknown-file"],
    )
    def test_wrong_values_are_refused(self, values: dict[str, Any]) -> None:
        assert render(values).problem != ""

    def test_it_has_the_processes_of_the_compose_file(self, plain: Rendered, full: Rendered) -> None:
        ours = {name: service for name, service in services().items() if service.ours}
        assert {name: pod.container["command"] for name, pod in full.pods().items()} == {
            name: service.command for name, service in ours.items()
        }
        assert set(plain.pods()) == set(ours) - {"listener"}

    def test_its_names_begin_with_the_release(self, full: Rendered) -> None:
        assert all(item["metadata"]["name"].startswith("stream-aggregator") for item in full.objects)

    def test_settings_accept_its_variables(self, full: Rendered, tmp_path: Path) -> None:
        for pod in full.pods().values():
            settings = _settings(pod, tmp_path)
            assert not settings.embedded_database
            assert not settings.embedded_broker
            assert str(settings.data_dir) == "/tmp"
            assert settings.polls_per_minute == 300

    def test_each_process_gets_the_secrets_that_it_gets_with_compose(self, full: Rendered) -> None:
        for name, pod in full.pods().items():
            given = {variable for variable, value in pod.environment.items() if value.startswith(SECRETS)}
            variables = services()[name].environment.items()
            composed = {variable for variable, value in variables if value.startswith("/run/secrets/")}
            assert given - {"AGGREGATOR_PROXY_FILE"} == composed, name
            files = {pod.environment[variable].removeprefix(SECRETS) for variable in given}
            assert pod.secrets == {file: f"given-{file.lower()}" for file in files}

    def test_without_names_there_are_three_secrets(self, plain: Rendered) -> None:
        for pod in plain.pods().values():
            assert set(pod.secrets) == {"databaseUrl", "brokerUrl", "secretKey"}

    def test_pods_can_do_little(self, full: Rendered) -> None:
        for pod in full.pods().values():
            assert pod.spec["securityContext"]["runAsNonRoot"] is True
            assert pod.spec["securityContext"]["runAsUser"] == 10001
            assert pod.spec["automountServiceAccountToken"] is False
            security = pod.container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod.spec)

    def test_no_service_puts_variables_into_pods(self, full: Rendered) -> None:
        # A Service 'aggregator-reader' would set AGGREGATOR_READER_PORT, which is no setting.
        assert all(pod.spec["enableServiceLinks"] is False for pod in full.pods().values())

    @pytest.mark.parametrize("name", ["worker-feeds", "worker-api"])
    def test_a_worker_may_end_its_polls_before_it_is_killed(self, full: Rendered, name: str, tmp_path: Path) -> None:
        pod = full.pods()[name]
        app = create_app(Container(_settings(pod, tmp_path)))
        assert pod.spec["terminationGracePeriodSeconds"] >= app.conf.worker_soft_shutdown_timeout + MARGIN
        assert pod.environment["REMAP_SIGTERM"] == "SIGQUIT"

    @pytest.mark.parametrize("name", ["worker-feeds", "worker-api", "scheduler"])
    def test_a_health_check_is_that_of_the_compose_file(self, full: Rendered, name: str) -> None:
        container = full.pods()[name].container
        command = container["livenessProbe"]["exec"]["command"]
        assert command[:2] == services()[name].health[:2]
        assert command[2].replace('"', "") == services()[name].health[2].replace('"', "")
        assert container["startupProbe"]["exec"]["command"] == command

    def test_a_reader_is_drained_before_it_ends(self, full: Rendered) -> None:
        pod = full.pods()["reader"]
        waits = int(pod.container["lifecycle"]["preStop"]["exec"]["command"][1])
        assert pod.spec["terminationGracePeriodSeconds"] >= waits + services()["reader"].grace
        names = ("startup", "readiness", "liveness")
        probes = {name: pod.container[f"{name}Probe"]["httpGet"]["path"] for name in names}
        assert probes == {"startup": "/readyz", "readiness": "/healthz", "liveness": "/healthz"}

    def test_every_process_has_limits_and_the_lasting_ones_a_budget(self, full: Rendered) -> None:
        for pod in full.pods().values():
            resources = pod.container["resources"]
            assert size(resources["limits"]["memory"]) == services()[pod.component].memory
            assert size(resources["requests"]["memory"]) < size(resources["limits"]["memory"])
        for name in ("worker-feeds", "worker-api", "reader"):
            budget = full.get("PodDisruptionBudget", f"aggregator-{name}")["spec"]
            assert budget["maxUnavailable"] == 1
            assert budget["selector"] == full.get("Deployment", f"aggregator-{name}")["spec"]["selector"]

    def test_the_schema_comes_first(self, full: Rendered) -> None:
        job = full.get("Job", "aggregator-migrate")
        assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
        # At the first installation nothing else of the chart is there yet.
        assert {volume["name"] for volume in full.pods()["migrate"].spec["volumes"]} == {"tmp", "secrets"}

    def test_files_of_the_portal_arrive_unchanged(self, full: Rendered) -> None:
        assert full.get("ConfigMap", "aggregator-portal")["data"] == FULL["portal"]["files"]
        assert full.pods()["reader"].environment["AGGREGATOR_CONFIG_DIR"] == "/etc/aggregator/portal"

    def test_a_config_map_of_one_s_own_is_used(self) -> None:
        rendered = _without_problem({"portal": {"existingConfigMap": "mine", "files": FULL["portal"]["files"]}})
        assert "ConfigMap" not in rendered.kinds()
        volumes = {volume["name"]: volume for volume in rendered.pods()["reader"].spec["volumes"]}
        assert volumes["portal"]["configMap"] == {"name": "mine"}

    def test_event_streams_pass_the_ingress_at_once(self, full: Rendered) -> None:
        ingress = full.get("Ingress", "aggregator-reader")
        annotations = ingress["metadata"]["annotations"]
        assert annotations["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
        assert int(annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"]) >= 3600
        (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
        service = full.get("Service", path["backend"]["service"]["name"].removeprefix("stream-"))
        assert path["backend"]["service"]["port"]["name"] == service["spec"]["ports"][0]["name"]
        assert service["spec"]["selector"].items() <= _labels(full, "reader").items()

    def test_keda_scales_the_feed_workers_on_our_lag(self, full: Rendered) -> None:
        scaled = full.get("ScaledObject", "aggregator-worker-feeds")["spec"]
        target = full.get("Deployment", scaled["scaleTargetRef"]["name"].removeprefix("stream-"))
        assert "replicas" not in target["spec"]
        (trigger,) = scaled["triggers"]
        assert trigger["metadata"]["query"] == VALUES["keda"]["query"]
        assert scaled["minReplicaCount"] >= 1

    def test_prometheus_finds_the_readers_under_the_job_of_the_alert_rules(self, full: Rendered) -> None:
        monitor = full.get("ServiceMonitor", "aggregator")
        service = full.get("Service", "aggregator-reader")
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
        assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "aggregator"

    def test_extensions_are_off_by_default(self, plain: Rendered) -> None:
        assert plain.kinds() == {"Deployment", "Job", "Service", "PodDisruptionBudget"}


def _labels(rendered: Rendered, component: str) -> dict[str, str]:
    template = rendered.get("Deployment", f"aggregator-{component}")["spec"]["template"]
    labels: dict[str, str] = template["metadata"]["labels"]
    return labels
