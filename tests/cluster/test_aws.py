"""What cluster.yaml asks AWS for, as a mock EC2 sees it. No host is started."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parent.parent.parent
ROLES = ROOT / "deploy" / "aws-roles.yaml"

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A mock AWS account with the roles of deploy/, and a home for the key that Ray makes."""
    for module in ("boto3", "moto"):
        pytest.importorskip(module, reason="pip install -r tests/cluster/requirements.txt")
    from moto import mock_aws

    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
        patch.setenv("AWS_DEFAULT_REGION", "us-west-2")
        client("cloudformation").create_stack(
            StackName="rangefinder",
            TemplateBody=ROLES.read_text(),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[{"ParameterKey": "Bucket", "ParameterValue": "mine"}],
        )
        yield


@pytest.fixture(scope="module")
def config(aws: None) -> dict[str, Any]:
    """cluster.yaml as Ray fills it in before it launches."""
    from ray.autoscaler._private.aws.config import bootstrap_aws
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

    config = prepare_config(yaml.safe_load((ROOT / "cluster.yaml").read_text()))
    validate_config(config)
    filled_in = AWSNodeProvider.fillout_available_node_types_resources(config)
    return dict(bootstrap_aws(filled_in))


@pytest.fixture(scope="module")
def instances(config: dict[str, Any]) -> dict[str, Any]:
    """One instance of each node type, as EC2 describes it."""
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

    provider = AWSNodeProvider(config["provider"], config["cluster_name"])
    for name, node_type in config["available_node_types"].items():
        provider.create_node(node_type["node_config"], {"ray-user-node-type": name}, 1)
    reservations = client("ec2").describe_instances()["Reservations"]
    described = [instance for part in reservations for instance in part["Instances"]]
    return {_tags(instance)["ray-user-node-type"]: instance for instance in described}


def _tags(instance: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in instance["Tags"]}


def client(service: str) -> Any:
    import boto3

    return boto3.client(service, region_name="us-west-2")


def test_the_roles_are_written_without_aliases() -> None:
    """CloudFormation refuses them; the mock does not."""
    aliases = [
        token
        for token in yaml.scan(ROLES.read_text())
        if isinstance(token, yaml.AliasToken | yaml.AnchorToken)
    ]
    assert aliases == []


def test_instance_types_and_markets(instances: dict[str, Any]) -> None:
    seen = {name: (i["InstanceType"], i.get("InstanceLifecycle")) for name, i in instances.items()}
    assert seen == {
        "head": ("m5.xlarge", None),
        "gpu_spot": ("g4dn.xlarge", "spot"),
        "gpu_on_demand": ("g4dn.xlarge", None),
    }


def test_the_autoscaler_knows_what_a_worker_has(config: dict[str, Any]) -> None:
    types = config["available_node_types"]
    assert types["head"]["resources"] == {"CPU": 0, "GPU": 0}
    for name in ("gpu_spot", "gpu_on_demand"):
        resources = types[name]["resources"]
        assert (resources["CPU"], resources["GPU"]) == (4, 1)


def test_only_ssh_is_open_to_the_world(instances: dict[str, Any]) -> None:
    used = {group["GroupId"] for i in instances.values() for group in i["SecurityGroups"]}
    groups = client("ec2").describe_security_groups(GroupIds=sorted(used))["SecurityGroups"]
    rules = [rule for group in groups for rule in group["IpPermissions"]]
    public = [rule for rule in rules if rule["IpRanges"] or rule.get("Ipv6Ranges")]
    assert [(rule["FromPort"], rule["ToPort"]) for rule in public] == [(22, 22)]
    private = [rule for rule in rules if rule not in public]
    assert private
    assert {pair["GroupId"] for rule in private for pair in rule["UserIdGroupPairs"]} == used


def test_the_disk_holds_the_image_and_the_cuda_wheels(instances: dict[str, Any]) -> None:
    volumes = client("ec2").describe_volumes()["Volumes"]
    sizes = {volume["Attachments"][0]["InstanceId"]: volume["Size"] for volume in volumes}
    assert {sizes[instance["InstanceId"]] for instance in instances.values()} == {150}


def test_workers_may_use_the_bucket_and_only_the_head_may_start_them(
    instances: dict[str, Any],
) -> None:
    profiles = {name: i["IamInstanceProfile"]["Arn"] for name, i in instances.items()}
    assert profiles["head"].endswith("/rangefinder-head")
    assert profiles["gpu_spot"].endswith("/rangefinder-worker")
    assert profiles["gpu_on_demand"] == profiles["gpu_spot"]
    worker, head = policies("rangefinder-worker"), policies("rangefinder-head")
    assert "arn:aws:s3:::mine/*" in worker
    assert "arn:aws:s3:::mine/*" in head
    assert "ec2:" not in worker
    assert "ec2:*" in head
    assert "iam:PassRole" in head


def test_the_token_reaches_every_node(config: dict[str, Any]) -> None:
    assert config["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    assert not any("token" in path for path in config["rsync_exclude"])


def policies(profile: str) -> str:
    """Everything that the role of an instance profile may do, as text."""
    iam = client("iam")
    (role,) = iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]["Roles"]
    name = role["RoleName"]
    documents = []
    for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        arn = policy["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=arn, VersionId=version)
        documents.append(found["PolicyVersion"]["Document"])
    for inline in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        documents.append(iam.get_role_policy(RoleName=name, PolicyName=inline)["PolicyDocument"])
    return json.dumps(documents)
