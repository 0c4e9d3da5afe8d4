"""`ray up cluster.yaml` on an EC2 whose instances are hosts of a LAN: a search from no workers to
two, through a spot interruption, and back to none."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.record.trials import State
from tests.cluster.lan import Lan, what_is_missing
from tests.cluster.launcher import SEARCH, edit_yaml, fetched, laptop, ray_up, until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(
        importlib.util.find_spec("moto") is None or importlib.util.find_spec("boto3") is None,
        reason="boto3 and moto are not installed: pip install -r tests/cluster/requirements.txt",
    ),
]

YAML = "cluster.yaml"
AWS, PORT = "172.31.255.5", 5000
TRIALS, EPOCHS = 12, 150
GATED = "--trainable gated:train --space gated:SPACE --metric val_accuracy"
ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-west-2",
    "AWS_ENDPOINT_URL": f"http://{AWS}:{PORT}",
}
STORAGE = "s3://mine/rangefinder?allow_delayed_open=true"  # moto's S3 needs the part after the ?
_SET_UP = """
import boto3
boto3.client("s3").create_bucket(
    Bucket="mine", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
)
boto3.client("cloudformation").create_stack(
    StackName="rangefinder", TemplateBody=open("deploy/aws-roles.yaml").read(),
    Capabilities=["CAPABILITY_NAMED_IAM"],
    Parameters=[{"ParameterKey": "Bucket", "ParameterValue": "mine"}],
)
"""
_INSTANCES = """
import boto3, json
found = [
    {"id": i["InstanceId"], "address": i["PrivateIpAddress"], "spot": "InstanceLifecycle" in i,
     "kind": {t["Key"]: t["Value"] for t in i["Tags"]}["ray-node-type"]}
    for r in boto3.client("ec2").describe_instances()["Reservations"] for i in r["Instances"]
    if i["State"]["Name"] == "running"
]
print("@" + json.dumps(found))
"""
_TERMINATE = """
import boto3
boto3.client("ec2").terminate_instances(InstanceIds=["{}"])
"""


@pytest.fixture(scope="module")
def lan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lan]:
    """A laptop, and the fake AWS."""
    if reason := what_is_missing():
        pytest.skip(reason)
    account = "".join(f"export {name}={value}\n" for name, value in ACCOUNT.items())
    hosts = f"laptop:172.31.255.2 aws:{AWS}"
    lan = Lan(tmp_path_factory.mktemp("lan"), "rfe", hosts, account, NET="172.31.0", MASK="16")
    aws = None
    try:
        lan.up()
        aws = start_aws(lan)
        until(lambda: "ready" in (lan.folder / "aws.log").read_text(), 60, "the mock EC2")
        assert python(lan, _SET_UP).returncode == 0
        yield lan
    finally:
        if aws is not None:
            aws.kill()
            aws.wait()
        lan.down()


def start_aws(lan: Lan) -> subprocess.Popen[bytes]:
    program = Path(__file__).with_name("fake_ec2.py")
    network = f"--net=/run/netns/{lan.prefix}-aws"
    environment = {**lan.environment, **ACCOUNT, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    with (lan.folder / "aws.log").open("w") as log:
        return subprocess.Popen(
            ["nsenter", network, sys.executable, str(program), AWS, str(PORT)],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def python(lan: Lan, script: str) -> subprocess.CompletedProcess[str]:
    (lan.folder / "project" / "script.py").write_text(script)
    return laptop(lan, "python3 script.py")


def instances(lan: Lan, kind: str) -> list[dict[str, Any]]:
    """The running instances of a kind, ``head`` or ``worker``."""
    output = python(lan, _INSTANCES).stdout
    line = next((line for line in output.splitlines() if line.startswith("@")), "@[]")
    return [instance for instance in json.loads(line[1:]) if instance["kind"] == kind]


def give_notice(lan: Lan, instance: str) -> None:
    """Puts the notice into the instance's metadata, where spot_notice.py reads it."""
    shutil.copy(Path(__file__).with_name("metadata.py"), lan.shared)
    lan.as_root(instance, "setsid python3 /mnt/shared/metadata.py > /dev/null 2>&1 &")

    def is_passed_on() -> bool:
        return "terminate at" in lan.on(instance, "cat /tmp/spot_notice.log").stdout

    until(is_passed_on, 60, "the notice of the interruption")


def _fill_in(config: dict[str, Any]) -> None:
    config["max_workers"] = 2
    config["idle_timeout_minutes"] = 0.5


def test_a_search_from_no_workers_through_an_interruption_and_back(lan: Lan) -> None:
    edit_yaml(lan, YAML, _fill_in)
    ray_up(lan, YAML)
    (head,) = instances(lan, "head")
    assert instances(lan, "worker") == []

    shutil.copy(Path(__file__).with_name("gated.py"), lan.shared)
    search = lan.start(
        head["id"],
        f"PYTHONPATH=/mnt/shared:$PYTHONPATH python rangefinder/pipelines/run.py {SEARCH} {GATED} "
        f"--trials {TRIALS} --max-epochs {EPOCHS} --storage '{STORAGE}' --name aws",
        lan.folder / "search.log",
    )
    until(lambda: len(instances(lan, "worker")) == 2, 900, "two workers for the pending trials")
    workers = instances(lan, "worker")
    assert all(worker["spot"] for worker in workers)
    at_gate = [lan.shared / f"training-{worker['address']}" for worker in workers]
    until(lambda: all(file.exists() for file in at_gate), 250, "trials in training on both")
    interrupted = workers[0]
    give_notice(lan, interrupted["id"])
    time.sleep(5)  # of the two minutes that AWS gives
    assert python(lan, _TERMINATE.format(interrupted["id"])).returncode == 0
    (lan.shared / "go").touch()

    assert search.wait(timeout=1200) == 0, (lan.folder / "search.log").read_text()
    trials = fetched(lan, YAML, "aws")
    assert [trial.state for trial in trials] == [State.COMPLETE] * TRIALS
    assert all(trial.epochs == EPOCHS for trial in trials)
    used = {address for trial in trials for address in trial.node.split()}
    assert len(used) >= 2
    assert head["address"] not in used
    moved = [trial for trial in trials if len(trial.node.split()) > 1]  # with epochs on both
    assert moved
    assert all(trial.machines_lost for trial in moved)
    log = (lan.folder / "search.log").read_text()
    for trial in moved:  # no trial lost more than it trained after the notice
        assert re.search(rf"trial {trial.trial_id} goes on after epoch \d+: its machine", log), log

    until(lambda: instances(lan, "worker") == [], 600, "no worker after the last trial")
    down = laptop(lan, f"ray down -y {YAML}")
    assert down.returncode == 0, down.stdout
    assert instances(lan, "head") == []
