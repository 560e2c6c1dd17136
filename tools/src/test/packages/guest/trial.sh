#!/bin/sh
# In the guest, as a unit: swaps through leap-nbd's units, restarts and kills each of them, and has every page looked at. What it says is
# in /root/trial/log, and /root/trial/done is there when all went well.
folder=/root/trial
mkdir -p $folder
exec >$folder/log 2>&1

step() {
  echo "$(cut -d' ' -f1 /proc/uptime) $*"
}

die() {
  step "FAILED: $*"
  journalctl --no-pager -n 60
  systemctl poweroff
  exit 1
}

used() {
  awk '/nbd/ { print $4 }' /proc/swaps
}

# The program reads all of its pages, most of which are swapped out.
look() {
  round=$((${round:-0} + 1))
  touch "$folder/look$round"
  tries=0
  until [ -e "$folder/looked$round" ]; do
    tries=$((tries + 1))
    [ $tries -lt 3000 ] || die "the program does not come to an end after $1"
    [ $((tries % 50)) != 0 ] || systemctl is-active --quiet load || die "the program has ended: a page could not be read after $1"
    sleep 0.2
  done
  [ "$(cat "$folder/looked$round")" = 0 ] || die "after $1 $(cat "$folder/looked$round") pages are wrong"
  step "all pages are right after $1; $(used) KiB are on the device"
}

stays_in() {
  grep -q "/$1\$" "/proc/$(systemctl show -P MainPID "$1")/cgroup" || die "$1 has left its cgroup"
}

systemctl start leap-nbd-donor leap-nbd-attach@swap || die "the units do not start"
[ "$(used)" = 0 ] || die "nothing swaps"
systemctl is-active leap-nbd-serve@swap || die "attach did not bring its server along"
stays_in leap-nbd-serve@swap.service
stays_in leap-nbd-attach@swap.service
# What systemd gives is all that the processes ask for.
! journalctl --no-pager -u 'leap-nbd-*' | grep 'not protected' || die "something is not protected"
step "swaps"

systemd-run --unit=load -p MemoryMax=24M perl /root/load.pl 10000 $folder || die "the program does not start"
until [ -e $folder/filled ]; do sleep 0.2; done
[ "$(used)" -gt 4096 ] || die "the program was not paged out"
look "filling"
systemctl restart leap-nbd-serve@swap || die "the server is not restarted"
look "a restart of the server"
systemctl kill -s KILL leap-nbd-serve@swap
sleep 2
look "a kill of the server"
systemctl kill --kill-who=main -s KILL leap-nbd-attach@swap
sleep 2
tries=0
until [ "$(systemctl is-active leap-nbd-attach@swap)" = active ]; do
  tries=$((tries + 1))
  [ $tries -lt 3000 ] || die "attach does not come back"
  sleep 0.2
done
journalctl --no-pager -u leap-nbd-attach@swap | grep -q '(adopted)' || die "attach has not adopted its device"
look "a kill of attach"
systemctl set-property --runtime load.service MemoryMax=infinity
systemctl restart leap-nbd-attach@swap || die "attach is not restarted"
look "a restart of attach"
systemctl set-property --runtime load.service MemoryMax=24M
look "paging out again"
[ "$(used)" -gt 4096 ] || die "the program was not paged out again"
# The shutdown has pages to bring home, or a program to end.
step "shuts down"
touch $folder/done
systemctl --no-block poweroff
