# The real arrangement: the server inside the machine that swaps, over a Unix socket, the donors outside over TCP. The
# argument says what is short of memory:
#
#   limited  one program, in a cgroup (leap-nbd run). The server attaches its own device (serve --swap); it is killed once, and
#            makes room for its successor once. SIGTERM brings all pages home first
#   whole    everything: no cgroup between the program and the rest of the machine; server and attach are two processes. Not killed
#            here: what a dead server leaves free, the program takes, and then nothing can be started, a server neither.
. "$here/leap.sh"
arrangement=$1

# Far more than the program can get: in its cgroup, or beside what server and attach keep in memory.
case $arrangement in
  limited) memory=192 ;;
  whole) memory=$((${MEMORY%M} * 5 / 4)) ;;
esac
size=$((memory * 5 / 4))M
start_donors $((memory * 3 / 4))M
before=$(guest_settings)
if [ "$arrangement" = limited ]; then
  expect 'a server starts in the guest, and attaches its device' guest_swap_server $size || give_up 'no server'
  expect 'it says which' says $server '^ready .* swap=/dev/nbd0$'
else
  expect 'a server starts in the guest' guest_server $size || give_up 'no server'
  expect 'attach' attach --timeout 6s '/run/leap.sock' || give_up 'not attached'
  expect 'attach has every protection it wants' silent_about attach 'not protected|cannot set'
  resident attach
fi
expect 'it swaps' swap_in_use nbd0
expect 'the server has every protection it wants' silent_about $server 'not protected|cannot set'
resident serve

# Ends the server by SIGNAL while the program works, and starts the next one.
replace_server() { # MOMENT SIGNAL
  expect "the program gets to $1" await check "$1" 400 || return
  guest_kill $server "$2"
  expect "the server ends by signal $2" guest_wait_ended $server || return
  expect 'the next one starts' guest_swap_server $size || return
  expect 'it has adopted the device' says $server '^ready .* swap=/dev/nbd0 \(adopted\)$'
}
guest_wait_ended() { guest_wait "$1" 400; [ -s "$OUT/$1.rc" ]; }
one_swap_area() { guest_file /proc/swaps | grep -c /dev/ | grep -qx 1; }

case $arrangement in
  limited) # so little that a second server would have room: the one that is started again, before the page cache shrinks
    guest_start check "export $in_guest
      exec $guest_program run --memory 32M -- $check_program $memory rewrite/16 seq/4 stride/32 random/32"
    replace_server 'fill 2/4' 9 && replace_server 'rewrite 2/4' 10 &&
      expect 'there is one swap area' one_swap_area
    ;;
  whole) guest_start check "exec $check_program $memory rewrite/16 seq/4 stride/32 random/32" ;;
esac
expect "$memory MiB in a guest of $MEMORY: every page is right" every_page_right check 800
figures check
resident serve
expect 'no request failed' no_errors
[ "$arrangement" = limited ] || expect 'no request ran out of time' no_timeouts
if [ "$arrangement" = limited ]; then
  guest_start held "export $in_guest; exec $guest_program run --memory 16M -- $check_program 48 pause seq"
  expect 'a program in a cgroup stops with most of its pages out' await held pause 400 || give_up 'no pages are out'
  guest_kill $server 15
  groups=/sys/fs/cgroup/leap-nbd-run-
  expect 'a server that is told to end stays while pages have no room' await $server "not detached: .*$groups" 400
  expect 'it swaps still' swap_in_use nbd0
  expect 'the limit is taken off' guest "for group in $groups*; do echo max >\$group/memory.max; done"
  expect 'the server ends' guest_wait_ended $server
  expect 'by itself' test "$(cat "$OUT/$server.rc")" = 0
  guest_kill held 18 # SIGCONT
  expect 'the pages came home as they were' every_page_right held 400
else
  expect 'detach' detach
fi
expect 'nothing swaps' swap_not_in_use nbd0
expect 'the device is free' device_is_gone nbd0
expect 'the settings are as before' settings_are "$before"
done_with
