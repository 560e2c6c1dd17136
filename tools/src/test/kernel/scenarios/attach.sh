# Donors and server on the other side of the network; leap-nbd attach, and the server is killed, three times. Then attach itself
# is killed and started again. Then detach, while the pages of another program are out.
. "$here/leap.sh"
in_guest+=" LEAP_NBD_JAVA_OPTS=$quick"

memory=$(twice_memory)
size=$((memory * 5 / 4))M
before=$(guest_settings)
start_donors $((memory * 3 / 4))M
expect 'a server starts beside them' host_server $size || give_up 'no server'
expect 'attach' attach --timeout 6s "nbd://$HOST_IP:10809" || give_up 'not attached'
expect 'it swaps' swap_in_use nbd0
resident attach
guest_start check "exec $check_program $memory rewrite/8 seq/4"
for moment in 'fill 2/4' 'rewrite 2/4' 'seq 1/4'; do
  expect "the program gets to $moment" await check "$moment" 400 || break
  host_kill $server 9
  sleep 1
  expect 'a killed server comes back' host_server $size || break
done
expect "$memory MiB in a guest of $MEMORY: every page is right" every_page_right check 800
figures check
expect 'status shows that pages were prefetched, and were read' prefetched_pages_are_read
grep -A 2 '^prefetch ' "$OUT/status" | sed 's/^/          /'
expect 'no request failed' no_errors

guest_start held "export $in_guest; exec $guest_program run --memory 16M -- $check_program 48 pause seq"
expect 'a program in a cgroup stops with most of its pages out' await held pause 400 || give_up 'no pages are out'

echo '-- E1: attach is killed, and started again with the same words'
refuse_attach() { GUEST_LIMIT=400 refused_for "$1" guest "$in_guest $guest_program attach $2"; }
one_swap_area() { guest_file /proc/swaps | grep -c /dev/ | grep -qx 1; }
guest_kill attach 1
sleep 1
expect 'a hangup does not end it' swap_in_use nbd0
expect 'a second attach is refused, with the first one' refuse_attach 'by another process' "nbd://$HOST_IP:10809"
guest_kill attach 9
guest_wait attach 10
expect 'attach was killed' test "$(cat "$OUT/attach.rc")" = 137
expect 'another device is refused' refuse_attach 'is attached as /dev/nbd0' "--device /dev/nbd1 nbd://$HOST_IP:10809/"
expect 'attach is started again' attach --timeout 6s "nbd://$HOST_IP:10809" || give_up 'not attached again'
expect 'it has adopted the device' says attach '^ready /dev/nbd0 .*\(adopted\)'
expect 'there is one swap area' one_swap_area
guest_kill attach 9
guest_wait attach 10
expect 'without its state file too' guest 'rm -r /run/leap-nbd/attach-nbd0'
expect 'attach is started again' attach --timeout 6s "nbd://$HOST_IP:10809" || give_up 'not attached again'
expect 'it has adopted the device' says attach '^ready /dev/nbd0 .*\(adopted\)'
expect 'there is one swap area' one_swap_area
host_kill $server 9
sleep 1
expect 'a killed server comes back' host_server $size
expect 'the adopted device is connected again' await attach 'is back' 400

groups=/sys/fs/cgroup/leap-nbd-run-
expect 'detach is refused, with the cgroup in whose limit the pages do not fit' refused_for "$groups" detach
expect 'it swaps still' swap_in_use nbd0
expect 'the limit is taken off' guest "for group in $groups*; do echo max >\$group/memory.max; done"
expect 'detach' detach
expect 'nothing swaps' swap_not_in_use nbd0
expect 'the device is free' device_is_gone nbd0
expect 'the settings are as before' settings_are "$before"
guest_kill held 18 # SIGCONT
expect 'the pages came home as they were' every_page_right held 400
expect 'a second detach fails' refused_for 'is not attached' guest "$in_guest $guest_program detach /dev/nbd0"
expect 'attach makes a new area where the old one was given back' attach "nbd://$HOST_IP:10809" &&
  expect 'detach' detach

echo '-- E1: the swap area of another machine'
other=00000000-0000-0000-0000-000000000001
claim() { # what is at the start of the export: the owner that a header names
  guest "nbd-client $HOST_IP 10809 /dev/nbd3 -b 4096 >/dev/null && $1; nbd-client -d /dev/nbd3 >/dev/null"
}
expect 'the header is written as another machine would' claim "mkswap /dev/nbd3 >/dev/null && printf \
  'leap-nbd swap area machine=%s boot=%s host=elsewhere\n' $other $other |
  dd of=/dev/nbd3 conv=notrunc,fsync status=none"
expect 'attach leaves it alone' refuse_attach 'another machine, elsewhere' "nbd://$HOST_IP:10809"
expect 'nothing swaps' swap_not_in_use nbd
expect 'attach --take-over makes a new one' attach --take-over "nbd://$HOST_IP:10809" && expect 'detach' detach
done_with
