"""An EC2 whose instances boot: moto's server, and a host of the LAN for each instance.

    python fake_ec2.py ADDRESS PORT

Runs as root in the network namespace of a host of the LAN (and only its network), with lan.sh's
variables in the environment. A running instance gets a host with its private address, and with its
public one on the laptop's route; one that was terminated is powered off. The key pair that Ray
makes through EC2's interface opens the hosts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

LAN = Path(__file__).with_name("lan.sh")


def launch_all(responses: Any) -> None:
    """Makes moto launch MaxCount instances, as EC2 does if it can, and not MinCount."""
    original = responses.run_instances

    def run_instances(self: Any) -> Any:
        if most := self._get_param("MaxCount"):
            if getattr(self, "automated_parameter_parsing", False):
                self.params["MinCount"] = most
            else:
                self.querystring["MinCount"] = [most]
        return original(self)

    responses.run_instances = run_instances


def follow(ec2: Any) -> None:
    """Boots and powers off hosts as instances come and go, for ever."""
    hosts: set[str] = set()
    while True:
        running = {
            instance["InstanceId"]: instance
            for reservation in ec2.describe_instances()["Reservations"]
            for instance in reservation["Instances"]
            if instance["State"]["Name"] == "running"
        }
        for name, instance in running.items():
            if name not in hosts:
                hosts.add(name)
                allow_keys(ec2)
                addresses = [instance["PrivateIpAddress"], instance.get("PublicIpAddress", "")]
                lan("add", name, *filter(None, addresses))
        for name in hosts - set(running):
            hosts.remove(name)
            lan("del", name)
        time.sleep(0.5)


def allow_keys(ec2: Any) -> None:
    pairs = ec2.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
    keys = [pair["PublicKey"].strip() for pair in pairs if pair.get("PublicKey")]
    Path(os.environ["LAB"], "authorized_extra").write_text("".join(f"{key}\n" for key in keys))


def lan(*command: str) -> None:
    done = subprocess.run([str(LAN), *command], capture_output=True, text=True, check=False)
    print(f"{time.time():.1f} {' '.join(command)} {done.stdout}{done.stderr}", flush=True)


def main(address: str, port: int) -> None:
    os.environ["AWS_ENDPOINT_URL"] = f"http://{address}:{port}"
    import boto3
    from moto.ec2.responses.instances import InstanceResponse
    from moto.server import ThreadedMotoServer

    launch_all(InstanceResponse)
    ThreadedMotoServer(ip_address=address, port=port, verbose=False).start()
    print("ready", flush=True)
    follow(boto3.client("ec2"))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
