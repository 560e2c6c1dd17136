# Donors and server on the other side of the network; leap-nbd attach, and the server is killed, three times. Then detach,
# while the pages of another program are out.
. "$here/leap.sh"

memory=$(twice_memory)
size=$((memory * 5 / 4))M
start_donors $((memory * 3 / 4))M
expect 'a server starts beside them' host_server $size || give_up 'no server'
expect 'attach' attach --timeout 6s "nbd://$HOST_IP:10809/leap" || give_up 'not attached'
expect 'it swaps' swap_in_use nbd0
resident attach
guest_start check "exec $check_program $memory rewrite/4 seq"
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
expect 'a program in a cgroup stops with most of its pages out' await held pause 60 || give_up 'no pages are out'
groups=/sys/fs/cgroup/leap-nbd-run-
expect 'detach is refused, with the cgroup in whose limit the pages do not fit' refused_for "$groups" detach
expect 'it swaps still' swap_in_use nbd0
expect 'the limit is taken off' guest "for group in $groups*; do echo max >\$group/memory.max; done"
expect 'detach' detach
expect 'nothing swaps' swap_not_in_use nbd0
expect 'the device is free' device_is_gone nbd0
guest_kill held 18 # SIGCONT
expect 'the pages came home as they were' every_page_right held 60
done_with
