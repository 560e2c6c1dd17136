# Donors and server on the other side of the network, the kernel's client attached with nbd-client.
. "$here/leap.sh"

memory=$(twice_memory)
start_donors "$((memory * 3 / 4))M"
expect 'a server starts beside them' host_server "$((memory * 5 / 4))M" || give_up 'no server'
expect 'nbd-client attaches' guest "nbd-client $HOST_IP 10809 /dev/nbd0 -b 4096 -timeout 30" &&
  expect 'mkswap and swapon -d take the device' guest 'mkswap /dev/nbd0 && swapon -d /dev/nbd0' || give_up 'no swap'
expect "the README's settings" guest 'cd /proc/sys/vm && echo 0 >watermark_boost_factor &&
  echo 100 >watermark_scale_factor && echo 6144 >min_free_kbytes'
guest_start check "exec $check_program $memory seq/2 stride/4 random/4"
expect "$memory MiB in a guest of $MEMORY: every page is right" every_page_right check 800
figures check
expect 'status shows that pages were prefetched, and were read' prefetched_pages_are_read
grep -A 2 '^prefetch ' "$OUT/status" | sed 's/^/          /'
expect 'hits are served without a trip to a donor' hits_make_no_trip
sed 's/^/          /' "$WORK/said"
expect 'no request failed' no_errors
expect 'no request ran out of time' no_timeouts
expect 'swapoff' guest 'swapoff /dev/nbd0'
expect 'nbd-client lets go' guest 'nbd-client -d /dev/nbd0'
done_with
