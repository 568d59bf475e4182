"""deploy/kubernetes, rendered by kustomize: held against the schemas of Kubernetes, against what the programs can be told, and
against docker-compose.yml, which has the same programs with the same addresses. No cluster takes part."""

import ipaddress
import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from cfnlint.decode.cfn_yaml import load as load_template

from shop_processes import SERVICES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
TEMPLATE = ROOT / "deploy" / "aws" / "messaging.yaml"
PROGRAMS = {"local": [*SERVICES, "broker", "console"], "aws": [*SERVICES, "console"]}
# The oldest for which the manifests are meant, and the newest that is known here.
VERSIONS = ["1.33", kubernetes_validate.latest_version()]

both = pytest.mark.parametrize("overlay", ["local", "aws"], indirect=True)


def renderer():
    unpacked = ROOT / ".build" / "kustomize" / "usr" / "bin" / "kustomize"
    for kustomize in (shutil.which("kustomize"), unpacked):
        if kustomize and os.access(kustomize, os.X_OK):
            return [str(kustomize), "build"]
    if kubectl := shutil.which("kubectl"):
        version = subprocess.run([kubectl, "version", "--client"], capture_output=True, text=True).stdout
        if "Kustomize Version: v5." in version:
            return [kubectl, "kustomize"]
    pytest.skip("There is no kustomize, and no kubectl with one of version 5: put one of them on the PATH.")


def program(name, *arguments):
    command = [str(Path(os.environ["PROGRAMS"], name)), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Overlay:
    """What an overlay renders to, with keys as `shop keys` makes them."""

    def __init__(self, name, folder):
        self.name = name
        shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("*.env"))
        program("shop", "keys", "--data", str(folder / name))
        if (example := folder / name / "connections.env.example").exists():
            shutil.copy(example, folder / name / "connections.env")
        run = subprocess.run([*renderer(), str(folder / name)], capture_output=True, text=True)
        assert run.returncode == 0 and not run.stderr, run.stderr
        self.objects = list(yaml.safe_load_all(run.stdout))

    def of_kind(self, *kinds):
        return {one["metadata"]["name"]: one for one in self.objects if one["kind"] in kinds}

    @property
    def workloads(self):
        return self.of_kind("Deployment", "StatefulSet")

    def container(self, name):
        [container] = self.workloads[name]["spec"]["template"]["spec"]["containers"]
        return container

    def environment(self, name):
        """What a program is told: texts, and the references of secrets."""
        told = {}
        for source in self.container(name).get("envFrom", []):
            told |= self.of_kind("ConfigMap")[source["configMapRef"]["name"]]["data"]
        for variable in self.container(name).get("env", []):
            told[variable["name"]] = variable["value"] if "value" in variable else variable["valueFrom"]["secretKeyRef"]
        return told


@pytest.fixture(scope="session")
def overlays(tmp_path_factory):
    return {name: Overlay(name, tmp_path_factory.mktemp("kubernetes") / name) for name in PROGRAMS}


@pytest.fixture
def overlay(overlays, request):
    return overlays[request.param]


@pytest.fixture(scope="session")
def compose():
    """The shop's own programs in docker-compose.yml; its other services stand in for what a cluster has."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return {name: services[name] for name in PROGRAMS["local"]}


def composed(service):
    """What compose tells a program, with defaults for what is taken from the environment. What is empty tells nothing."""
    told = {
        name: re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", str(value)) for name, value in service.get("environment", {}).items()
    }
    return {name: value for name, value in told.items() if value}


def calls(told):
    """Whom a program is told to call: pairs of name and port."""
    urls = [re.fullmatch(r"http://([a-z-]+):(\d+)(/.*)?", one) for one in told.values() if isinstance(one, str)]
    return {(url[1], int(url[2])) for url in urls if url}


def chosen(selector, labels):
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for one in selector.get("matchExpressions", []):
        assert one["operator"] == "In", "this test knows no other operator"
        if labels.get(one["key"]) not in one["values"]:
            return False
    return True


# Schemas


@both
@pytest.mark.parametrize("version", VERSIONS)
def test_schemas(overlay, version):
    """Everything but KEDA's objects, whose schemas are KEDA's."""
    for one in overlay.objects:
        if not one["apiVersion"].startswith("keda.sh/"):
            try:
                kubernetes_validate.validate(one, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                where = ".".join(str(part) for part in error.path)
                pytest.fail(f"{one['kind']} {one['metadata']['name']} {where}: {error.message}")


@both
def test_names(overlay):
    """What refers to something else refers to something that is there."""
    kinds = {kind: overlay.of_kind(kind) for kind in ("Secret", "ServiceAccount")}
    for name, workload in overlay.workloads.items():
        pod = workload["spec"]["template"]
        assert workload["metadata"]["namespace"] in overlay.of_kind("Namespace")
        assert pod["spec"].get("serviceAccountName", "default") in {"default", *kinds["ServiceAccount"]}
        for told in overlay.environment(name).values():
            if not isinstance(told, str):
                assert told["key"] in kinds["Secret"][told["name"]]["data"], f"{name} lacks {told}"
        volumes = {one["name"] for one in pod["spec"]["volumes"]}
        volumes |= {one["metadata"]["name"] for one in workload["spec"].get("volumeClaimTemplates", [])}
        assert {one["name"] for one in overlay.container(name)["volumeMounts"]} <= volumes
        # What selects it selects nothing else.
        assert chosen(workload["spec"]["selector"], pod["metadata"]["labels"])
    for kind in ("Service", "PodDisruptionBudget"):
        for name, one in overlay.of_kind(kind).items():
            selector = one["spec"]["selector"] if kind != "Service" else {"matchLabels": one["spec"]["selector"]}
            assert [*pods_chosen(overlay, selector)] == [name], f"{kind} {name}"


def pods_chosen(overlay, selector):
    for name, workload in overlay.workloads.items():
        if chosen(selector, workload["spec"]["template"]["metadata"]["labels"]):
            yield name


# The same as docker compose up


@both
def test_programs(overlay, compose):
    assert sorted(overlay.workloads) == sorted(PROGRAMS[overlay.name])
    for name in PROGRAMS[overlay.name]:
        container, service = overlay.container(name), compose[name]
        assert container["args"] == service["command"] and "command" not in container
        assert container["image"].split("/")[-1].split(":")[0] == service["image"]
        assert container["resources"]["limits"]["memory"] == service["mem_limit"].replace("m", "Mi")
        _, _, port = service["ports"][0].split(":")
        assert container["ports"] == [{"name": "http", "containerPort": int(port)}]
        assert overlay.of_kind("Service")[name]["spec"]["ports"] == [
            {"name": "http", "port": int(port), "targetPort": "http"}
        ]
        checked = f"http://127.0.0.1:{port}{container['startupProbe']['httpGet']['path']}"
        assert service["healthcheck"]["test"][-1] == checked
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["port"] == "http"
        assert container["readinessProbe"]["httpGet"]["path"] == container["livenessProbe"]["httpGet"]["path"]
        # A pod that is told of an outage elsewhere must not be restarted for it.
        assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"


@both
def test_environment(overlay, compose):
    known = {name: set(re.findall(r"^  ([A-Z_]+)  ", program(name, "--help"), re.MULTILINE)) for name in compose}
    [shared] = overlay.of_kind("ConfigMap").values()
    assert set(shared["data"]) <= set.union(*known.values())
    for name in PROGRAMS[overlay.name]:
        own = {variable["name"] for variable in overlay.container(name).get("env", [])}
        assert own <= known[name], f"{name} knows no {own - known[name]}"
        told, there = overlay.environment(name), composed(compose[name])
        if overlay.name == "local":
            differing = {key for key in told.keys() & there if told[key] != there[key]}
            assert not differing, f"docker-compose.yml tells {name} something else by {differing}"
        # It is told of everybody that compose tells it of.
        expected = {call for call in calls(there) if call[0] in overlay.workloads and name != "broker"}
        assert name == "broker" or calls(told) == expected


@both
def test_network(overlay, compose):
    """The policies let each program speak to those whom it is told of, and to nobody else."""
    nothing = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert nothing in [one["spec"] for one in overlay.of_kind("NetworkPolicy").values()], "others may speak to anybody"
    expected = {
        (name, *call)
        for name in PROGRAMS[overlay.name]
        for call in calls(composed(compose[name]))
        if name != "broker" and call[0] in overlay.workloads
    }
    # Whoever answers is not asked for a way back: policies are about connections.
    allowed = set()
    for source, target in itertools.permutations(overlay.workloads, 2):
        for port in (port["containerPort"] for name in overlay.workloads for port in overlay.container(name)["ports"]):
            if may(overlay, "egress", source, target, port) and may(overlay, "ingress", target, source, port):
                listens = port == overlay.container(target)["ports"][0]["containerPort"]
                assert listens, f"{source} may try port {port} of {target}, which is not there"
                allowed.add((source, target, port))
    assert allowed == expected


def test_network_outside(overlays):
    public, private, agent, metadata = "93.184.216.34", "10.1.2.3", "169.254.170.23", "169.254.169.254"

    def who(overlay, address, port):
        return {name for name in overlay.workloads if may(overlay, "egress", name, address, port)}

    local, aws = overlays["local"], overlays["aws"]
    # Merchants may have their endpoints anywhere but here.
    assert who(local, public, 443) == who(local, public, 8443) == who(aws, public, 8443) == {"notification"}
    assert who(local, private, 443) == who(local, agent, 80) == who(local, private, 5432) == set()
    assert who(aws, public, 443) == who(aws, private, 443) == who(aws, agent, 80) == set(aws.workloads)
    assert who(aws, private, 5432) == set(SERVICES)
    assert who(aws, public, 465) == {"email", "notification"}
    for overlay in overlays.values():
        # The machine's own role is nobody's.
        assert who(overlay, metadata, 80) == set()
        for name in overlay.workloads:
            port = overlay.container(name)["ports"][0]["containerPort"]
            assert not any(may(overlay, "ingress", name, address, port) for address in (public, private))


def may(overlay, direction, name, other, port):
    """Whether the policies for `name` let it speak with `other`, a program of ours or an address."""
    labels = overlay.workloads[name]["spec"]["template"]["metadata"]["labels"]
    policies = [
        one["spec"]
        for one in overlay.of_kind("NetworkPolicy").values()
        if direction.capitalize() in one["spec"]["policyTypes"] and chosen(one["spec"]["podSelector"], labels)
    ]
    rules = [rule for policy in policies for rule in policy.get(direction, [])]
    return not policies or any(lets_through(overlay, rule, direction, other, port) for rule in rules)


def lets_through(overlay, rule, direction, other, port):
    """A rule without ports is about all ports, and one without peers about everybody."""
    ports, peers = rule.get("ports"), rule.get("to" if direction == "egress" else "from")
    return (not ports or any(within(one, port) for one in ports)) and (
        not peers or any(is_peer(overlay, peer, other) for peer in peers)
    )


def within(one, port):
    return one.get("protocol", "TCP") == "TCP" and one["port"] <= port <= one.get("endPort", one["port"])


def is_peer(overlay, peer, other):
    if block := peer.get("ipBlock"):
        # Pods have addresses, too: these are kind's.
        address = ipaddress.ip_address("10.244.0.7" if other in overlay.workloads else other)
        excepted = any(address in ipaddress.ip_network(one) for one in block.get("except", []))
        return address in ipaddress.ip_network(block["cidr"]) and not excepted
    if "namespaceSelector" in peer or other not in overlay.workloads:
        return False
    return chosen(peer["podSelector"], overlay.workloads[other]["spec"]["template"]["metadata"]["labels"])


# Safe


@both
def test_pods_are_restricted(overlay):
    """What the Pod Security Standard «restricted» asks for, and what is asked for here beyond it."""
    [namespace] = overlay.of_kind("Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for workload in overlay.workloads.values():
        pod = workload["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        context = pod["securityContext"]
        assert context["runAsNonRoot"] and context["runAsUser"] and context["seccompProfile"]["type"] == "RuntimeDefault"
        assert all("emptyDir" in volume for volume in pod["volumes"])
        for container in pod["containers"] + pod.get("initContainers", []):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            resources = container["resources"]
            assert resources["limits"]["memory"] and resources["requests"].keys() >= {"cpu", "memory"}
    for account in overlay.of_kind("ServiceAccount").values():
        assert account["automountServiceAccountToken"] is False


@both
def test_there_is_time_to_stop(overlay):
    source = (ROOT / "Shared" / "ServiceKit" / "ServiceMain.swift").read_text()
    stopping = sum(int(seconds) for seconds in re.findall(r"private static let .* = Duration\.seconds\((\d+)\)", source))
    assert stopping
    for name, workload in overlay.workloads.items():
        waiting = overlay.container(name)["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > waiting + stopping


def test_no_secrets():
    for file in FOLDER.rglob("*"):
        if file.is_file() and file.suffix != ".env":
            text = file.read_text()
            assert not re.search(r"^kind: Secret$|whsec_|AKIA|SHOP[A-Z2-7]{16}|BEGIN .*PRIVATE", text, re.MULTILINE), file
            assert all(login == "USER:PASSWORD" for login in re.findall(r"://([^/\s@]+:[^/\s@]+)@", text)), file
    for file in ("local/keys.env", "aws/keys.env", "aws/connections.env"):
        ignored = subprocess.run(["git", "-C", str(ROOT), "check-ignore", "-q", f"deploy/kubernetes/{file}"])
        assert ignored.returncode in (0, 128), f"git would take {file}"  # 128: this is no clone


@both
def test_secrets_are_referred_to(overlay):
    for name in overlay.workloads:
        for variable, told in overlay.environment(name).items():
            if isinstance(told, str):
                assert not re.search("SECRET|PASSWORD|KEY|DATABASE_URL|SMTP_URL", variable), f"{name}: {variable}"


# Where the data is


def test_local_data(overlays):
    """One process for each file."""
    for name, workload in overlays["local"].workloads.items():
        assert workload["kind"] == "StatefulSet" and workload["spec"].get("replicas", 1) == 1
        [claim] = workload["spec"]["volumeClaimTemplates"]
        mounts = {one["name"]: one["mountPath"] for one in overlays["local"].container(name)["volumeMounts"]}
        # The image's working folder, in which the databases are unless something else is said.
        assert mounts[claim["metadata"]["name"]] == "/data"
        told = overlays["local"].environment(name)
        assert "DATABASE_URL" not in told and told.get("MAILDIR", "/data/").startswith("/data/")
    assert "MAILDIR" in overlays["local"].environment("email")
    assert "WORKDIR /data" in (ROOT / "deploy" / "docker" / "Dockerfile").read_text()


def test_aws_data(overlays):
    aws = overlays["aws"]
    databases = [
        aws.environment(name)[variable]["key"]
        for name in SERVICES
        for variable in ["DATABASE_URL"] + ["GATEWAY_DATABASE_URL"] * (name == "payment")
    ]
    assert len(set(databases)) == len(SERVICES) + 1, "two share a database"
    assert "SMTP_URL" in aws.environment("email")
    # The console's history is a file.
    assert aws.workloads["console"]["kind"] == "StatefulSet"
    # More replicas than one, and their number is KEDA's alone.
    assert all("replicas" not in workload["spec"] for workload in aws.workloads.values())


# On Amazon


def test_aws_broker(overlays):
    aws = overlays["aws"]
    for name in aws.workloads:
        told = aws.environment(name)
        # With keys of its own a service would not ask for those of its role.
        assert not told.keys() & {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
        assert told["MESSAGE_CHANNELS"] == "find" and told["AWS_REGION"]
        assert aws.workloads[name]["spec"]["template"]["spec"]["serviceAccountName"] == name
        # A machine of the cluster has no images but those of a registry.
        assert re.search(r"^[^/]+\.amazonaws\.com/.*:(?!latest)", aws.container(name)["image"]), f"{name} has no place"
    policies = {name.removesuffix("Service").lower() for name in load_template(TEMPLATE)["Outputs"]}
    assert policies == {*aws.workloads, "autoscaler"}


def test_aws_scaling(overlays):
    aws, resources = overlays["aws"], load_template(TEMPLATE)["Resources"]
    queues = {
        one["Properties"]["QueueName"]: name for name, one in resources.items() if one["Type"] == "AWS::SQS::Queue"
    }
    [statement] = resources["Autoscaler"]["Properties"]["PolicyDocument"]["Statement"]
    seen = {resource["Fn::GetAtt"][0] for resource in statement["Resource"]}
    assert sorted(aws.of_kind("ScaledObject")) == sorted(SERVICES) == sorted(aws.of_kind("PodDisruptionBudget"))
    for name, one in aws.of_kind("ScaledObject").items():
        spec = one["spec"]
        # The fields that are used, as KEDA has them: it would ignore others.
        assert one["apiVersion"] == "keda.sh/v1alpha1"
        assert spec.keys() == {"scaleTargetRef", "minReplicaCount", "maxReplicaCount", "triggers"}
        assert spec["scaleTargetRef"] == {"name": name} and aws.workloads[name]["kind"] == "Deployment"
        assert 2 <= spec["minReplicaCount"] < spec["maxReplicaCount"]
        [trigger] = spec["triggers"]
        assert trigger.keys() == {"type", "metadata", "authenticationRef"} and trigger["type"] == "aws-sqs-queue"
        assert trigger["authenticationRef"]["name"] in aws.of_kind("TriggerAuthentication")
        metadata = trigger["metadata"]
        assert metadata.keys() == {"queueURL", "queueLength", "awsRegion"}
        assert all(isinstance(value, str) for value in metadata.values()), "KEDA takes texts alone"
        assert metadata["queueURL"] == name and queues[name] in seen, f"{metadata['queueURL']} is not {name}'s queue"
        assert metadata["awsRegion"] == aws.environment(name)["AWS_REGION"]
        budget = aws.of_kind("PodDisruptionBudget")[name]["spec"]
        assert budget["maxUnavailable"] < spec["minReplicaCount"]
