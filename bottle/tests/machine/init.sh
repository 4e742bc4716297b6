#!/bin/busybox sh
# The first process of the tests' virtual machine. It makes a small system with control groups of version 2, plays the
# scenes that were put into /scenes, says on the serial line what each said, and switches the machine off.
/bin/busybox --install -s /bin
export PATH=/bin

# A root that can be left: what the kernel unpacked to cannot be pivoted away from.
if [ "$1" != second ]; then
  mkdir -p /new
  busybox mount -t tmpfs -o size=600m,mode=755 root /new
  cp -a /bin /etc /init /modules /scenes /new/
  chown -R 0:0 /new
  cd /new && mkdir -p proc sys dev tmp run root home usr
  exec switch_root /new /init second
fi

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /home/ordinary
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
chmod 1777 /tmp
chown 1000:1000 /home/ordinary
ip link set lo up
# Addresses that are not loopback, on loopback: witnesses of an attack stand on them, and nothing else is there.
ip addr add 10.9.8.7/8 dev lo && ip -6 addr add fd00::7/64 dev lo
ip route add default via 10.9.8.1 dev lo; ip -6 route add default dev lo
# Whatever happens to the test that started this machine, it does not outlive this.
(sleep "$(cat /scenes/seconds)" && echo "@@ too long" && poweroff -f) >/dev/console 2>&1 &

while read -r module; do
  options=
  [ "$module" != brd.ko ] || options="rd_nr=1 rd_size=262144"
  insmod "/modules/$module" $options || echo "@@ no module $module"
done </modules/order
mkswap /dev/ram0 >/dev/null && swapon /dev/ram0 || echo "@@ no swap"

# Groups: `whole` gives every controller, `half` counts processes only, `bare` limits nothing. Each is the ordinary
# user's but the last, and has a group `session`, from which that user's bottles are started; so has root.
cd /sys/fs/cgroup && mount -t cgroup2 groups . && cd .
echo "+cpu +memory +pids" >cgroup.subtree_control
give() {
  mkdir -p "$1/session"
  for controller in $2; do echo "+$controller" >"$1/cgroup.subtree_control"; done
  chown -R "$3" "$1"
}
for user in 0 1000; do
  give "$PWD/whole-$user" "cpu memory pids" "$user:$user"
  give "$PWD/half-$user" "pids" "$user:$user"
  give "$PWD/bare-$user" "" 0:0
done
cd /

# play SCENE USER: from a group of the user's, in a folder of their own.
play() {
  local place work name=root
  place=/sys/fs/cgroup/$(cat "$1/place")-$2
  work=/root/$(basename "$1")
  if [ "$2" != 0 ]; then name=ordinary work=/home/ordinary/$(basename "$1"); fi
  cp -r "$1" "$work"
  cat >"$work/start" <<START
export PATH=/bin HOME=$(dirname "$work") TERM=dumb GROUPS_HERE=$place
exec timeout -s KILL 60 sh ./script
START
  chown -R "$2:$2" "$work"
  sh -c 'echo $$ >"$1/session/cgroup.procs" && cd "$2" && exec su -s /bin/sh "$3" ./start' \
    play "$place" "$work" "$name" 2>&1 </dev/null
}

# lane USER: the scenes of one user, one after another; what each said comes in one piece.
lane() {
  local scene code said=/tmp/said-$1
  for scene in /scenes/*/; do
    [ "$(cat "$scene/user")" = "$1" ] || continue
    echo "@@ begin" >"$said"
    cat "$scene/title" >>"$said"
    play "$scene" "$1" >>"$said"
    code=$?
    # A group that is still there when its bottle is gone.
    find /sys/fs/cgroup/*-"$1" -type d -name 'bottle-*' | while read -r group; do
      echo "@@ left $group"
      rmdir "$group"
    done >>"$said"
    echo "@@ end with $code at $(cut -d ' ' -f 1 /proc/uptime)" >>"$said"
    until mkdir /tmp/speaking 2>/dev/null; do usleep 10000; done
    cat "$said"
    rmdir /tmp/speaking
  done
}

# Both at a time: there are two processors.
echo "@@ ready at $(cut -d ' ' -f 1 /proc/uptime)"
lane 0 & root=$!
lane 1000 & ordinary=$!
wait "$root" "$ordinary"
echo "@@ all"
poweroff -f
