#!/usr/bin/env bash
# A LAN of hosts in one Linux machine, real enough for `ray up` over SSH.
#
# Each host has its own network, PID, mount, UTS and IPC namespace: its own address and sshd, a
# copy-on-write root, private /tmp, /dev/shm and /home, and processes that it alone sees (`ray stop`
# kills by name). Nothing is routed to the outside, and the machine's own network is not touched.
# Only /mnt/shared is the same folder on all hosts: it plays the file server.
#
#   lan.sh up                        make the hosts of HOSTS
#   lan.sh exec|rootexec HOST CMD    run CMD on HOST, as the login user or as root
#   lan.sh poweroff HOST             pull the cable, then kill everything: no peer sees a FIN or RST
#   lan.sh add HOST IP [PUBLIC_IP]   one more host (the fake EC2's RunInstances)
#   lan.sh del HOST                  power it off and forget it (TerminateInstances)
#   lan.sh down                      end everything that `up` and `add` made
#
# Needs root, iproute2, util-linux, openssh-server and rsync.
set -euo pipefail
LAB=${LAB:?a folder for keys, addresses and pids}
PFX=${PFX:?a short prefix for the names of network namespaces}
NET=${NET:-10.77.0}
MASK=${MASK:-24}
HOSTS=${HOSTS-"laptop:2 head:10 w1:11 w2:12"}   # name:last octet of NET
PROJECT=${PROJECT:?the folder that the laptop shows as ~/project}
IMAGE=${IMAGE:?a folder with bin, lib and site: what is installed on every host}
HUSER=${HUSER:-ubuntu}                           # the login user of the cluster's YAML file
SHM=${SHM:-1g}                                   # /dev/shm of each host
export LAB PFX NET MASK HOSTS PROJECT IMAGE HUSER SHM
SELF=$(readlink -f "$0")

ipof()  { cat "$LAB/$1.ip"; }
names() { for f in "$LAB"/*.ip; do [ -f "$f" ] && basename "$f" .ip; done; }
pid1()  { cat "$LAB/$1.pid"; }
inside() { nsenter -t "$(pid1 "$1")" -m -u -i -n -p -r -w/ -- env -i TERM=dumb "${@:2}"; }

host_init() {   # PID 1 of a new host, already in its network
  local h=$1 D=$LAB/$1.disk R n i
  mount --make-rprivate /
  # The upper layer must not lie on the file system below it: overlayfs refuses that.
  mkdir -p "$D"; mount -t tmpfs -o size=4g,mode=755 tmpfs "$D"; mkdir "$D/up" "$D/wk" "$D/root"; R=$D/root
  mount -t overlay overlay -o "lowerdir=/,upperdir=$D/up,workdir=$D/wk" "$R"
  mount -t proc proc "$R/proc"; mount -t sysfs -o ro sysfs "$R/sys"
  mount -t tmpfs -o mode=755 tmpfs "$R/dev"
  for n in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0"; do
    set -- $n; mknod -m 666 "$R/dev/$1" c "$2" "$3"; done
  mkdir "$R/dev/pts" "$R/dev/shm"; mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$R/dev/pts"
  ln -s pts/ptmx "$R/dev/ptmx"; ln -s /proc/self/fd "$R/dev/fd"
  i=0; for n in stdin stdout stderr; do ln -s "/proc/self/fd/$i" "$R/dev/$n"; i=$((i+1)); done
  mount -t tmpfs -o "size=$SHM,mode=1777" tmpfs "$R/dev/shm"
  mount -t tmpfs -o mode=1777 tmpfs "$R/tmp"; mount -t tmpfs -o mode=755 tmpfs "$R/run"; mkdir -p "$R/run/sshd"
  mount -t tmpfs -o mode=755 tmpfs "$R/home"
  mkdir -p "$R$IMAGE"; mount --bind "$IMAGE" "$R$IMAGE"; mount -o remount,bind,ro "$R$IMAGE"
  while read -r from to; do
    mount --bind "$from" "$R$IMAGE/$to"; mount -o remount,bind,ro "$R$IMAGE/$to"; done < "$IMAGE/binds"
  mkdir -p "$R/mnt/shared"; mount --bind "$LAB/shared" "$R/mnt/shared"
  hostname "$h"; echo "$h" > "$R/etc/hostname"
  { echo "127.0.0.1 localhost"; for n in $(names); do echo "$(ipof "$n") $n"; done; } > "$R/etc/hosts"
  : > "$R/etc/resolv.conf"
  case $h in laptop|head) echo 0;; *) echo 1;; esac > "$R/etc/gpus"   # what the NVML of IMAGE counts
  chmod 711 "$R/root"                        # the interpreter may lie in root's home
  local H=$R/home/$HUSER
  chroot "$R" userdel "$HUSER" 2>/dev/null || true
  # '*' is no password, but sshd takes a key; '!' would lock the account
  chroot "$R" useradd -m -s /bin/bash -d "/home/$HUSER" -u 4242 -p '*' "$HUSER" 2>/dev/null
  mkdir -p "$H/.ssh"; cat "$LAB/id_ed25519.pub" "$LAB/authorized_extra" > "$H/.ssh/authorized_keys" 2>/dev/null || true
  [ "$h" = laptop ] && { cp "$LAB/id_ed25519" "$LAB/id_ed25519.pub" "$H/.ssh/"; chmod 600 "$H/.ssh/id_ed25519"; }
  chmod 700 "$H/.ssh"
  # What Ray runs on a host is: bash --login -c -i 'source ~/.bashrc; ...'
  { echo "export PATH=$IMAGE/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    cat "$IMAGE/environment" "$LAB/environment" 2>/dev/null; } > "$H/.bashrc"
  echo '. ~/.bashrc' > "$H/.profile"; rm -f "$H/.bash_profile"
  chroot "$R" chown -R "$HUSER:$HUSER" "/home/$HUSER"
  [ "$h" = laptop ] && { mkdir -p "$H/project"; mount --bind "$PROJECT" "$H/project"; }
  cp "$LAB/ssh_host_key" "$R/etc/ssh/lab_host_key"; chmod 600 "$R/etc/ssh/lab_host_key"
  cat > "$R/etc/ssh/lab_sshd_config" <<S
Port 22
HostKey /etc/ssh/lab_host_key
PasswordAuthentication no
PubkeyAuthentication yes
UsePAM no
MaxSessions 100
MaxStartups 100
StrictModes no
Subsystem sftp internal-sftp
S
  # PID 1 starts sshd and reaps the orphans that Ray leaves.
  exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$R" /bin/bash -c \
    'cd /; ulimit -n 20000; /usr/sbin/sshd -f /etc/ssh/lab_sshd_config -E /var/log/sshd.log; touch /run/booted; while :; do sleep 3600 & wait; done'
}

cable() {
  local h=$1 ip=$2 port
  echo "$ip" > "$LAB/$h.ip"
  ip netns add "$PFX-$h"
  port=p$(printf '%02x' ${ip//./ }); echo "$port" > "$LAB/$h.port"   # a name has 15 letters at most
  ip link add "$port" netns "$PFX-sw" type veth peer name eth0 netns "$PFX-$h"
  ip -n "$PFX-sw" link set "$port" master br0 up
  ip -n "$PFX-$h" addr add "$ip/$MASK" dev eth0
  ip -n "$PFX-$h" link set lo up; ip -n "$PFX-$h" link set eth0 up
  # Ray finds a host's address by the route to an address in the internet; it sends nothing.
  ip -n "$PFX-$h" route add default dev eth0
}
port() { cat "$LAB/$1.port"; }

boot() {
  local h=$1 up c=""
  ip -n "$PFX-sw" link set "$(port "$h")" up
  setsid ip netns exec "$PFX-$h" unshare --mount --pid --uts --ipc --fork --kill-child=SIGKILL \
     bash "$SELF" _init "$h" >"$LAB/$h.log" 2>&1 </dev/null &
  up=$!
  for _ in $(seq 200); do    # the only child of `unshare --fork` is the host's PID 1
    c=$(cat /proc/$up/task/$up/children 2>/dev/null || true); c=${c%% *}
    [ -n "$c" ] && break; sleep 0.02
  done
  [ -n "$c" ] || { echo "host $h did not start"; cat "$LAB/$h.log"; return 1; }
  echo "$c" > "$LAB/$h.pid"
  for _ in $(seq 300); do nsenter -t "$c" -m -r test -e /run/booted 2>/dev/null && return 0; sleep 0.05; done
  echo "host $h did not boot"; cat "$LAB/$h.log"; return 1
}

unplug() { ip -n "$PFX-sw" link set "$(port "$1")" down 2>/dev/null || true; kill -9 "$(pid1 "$1")" 2>/dev/null || true; }

case ${1:-} in
_init) host_init "$2";;
up)
  mkdir -p "$LAB/shared"; chmod 1777 "$LAB/shared"
  ssh-keygen -q -t ed25519 -N '' -C lan -f "$LAB/id_ed25519"
  ssh-keygen -q -t ed25519 -N '' -C lan-host -f "$LAB/ssh_host_key"
  ip netns add "$PFX-sw"; ip -n "$PFX-sw" link add br0 type bridge; ip -n "$PFX-sw" link set br0 up
  for x in $HOSTS; do case ${x##*:} in *.*) cable "${x%%:*}" "${x##*:}";; *) cable "${x%%:*}" "$NET.${x##*:}";; esac; done
  for h in $(names); do boot "$h" & done; wait;;
add)  cable "$2" "$3"
      if [ -n "${4:-}" ]; then   # the public address: on the host's lo, reached through the private one
        ip -n "$PFX-$2" addr add "$4/32" dev lo; ip -n "$PFX-laptop" route replace "$4/32" via "$3"; fi
      boot "$2";;
del)  unplug "$2"; sleep 0.2
      ip netns del "$PFX-$2" 2>/dev/null || true; rm -f "$LAB/$2".{ip,port,pid}; rmdir "$LAB/$2.disk" 2>/dev/null || true;;
exec)     h=$2; shift 2; inside "$h" su - "$HUSER" -c "$*";;
rootexec) h=$2; shift 2; inside "$h" PATH=/usr/sbin:/usr/bin:/sbin:/bin bash -c "$*";;
poweroff) unplug "$2";;
down)
  for h in $(names); do
    [ -f "$LAB/$h.pid" ] && kill -9 "$(pid1 "$h")" 2>/dev/null || true
    ip netns del "$PFX-$h" 2>/dev/null || true; rm -f "$LAB/$h".{ip,port,pid}; done
  ip netns del "$PFX-sw" 2>/dev/null || true
  sleep 0.3; rmdir "$LAB"/*.disk 2>/dev/null || true;;
*) sed -n 2,17p "$SELF"; exit 2;;
esac
