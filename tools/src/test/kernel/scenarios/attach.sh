# Donors and server on the other side of the network; leap-nbd attach, and the server is killed, three times.
. "$here/leap.sh"

memory=$(twice_memory)
size=$((memory * 5 / 4))M
start_donors $((memory * 3 / 4))M
expect 'a server starts beside them' host_server $size || give_up 'no server'
before=$(guest_settings)
expect 'attach' attach --timeout 6s "nbd://$HOST_IP:10809/leap" || give_up 'not attached'
expect 'it swaps' swap_in_use nbd0
resident attach
guest_start check "exec $check_program $memory rewrite seq"
for moment in 'fill 2/4' 'rewrite 2/4' 'seq 1/4'; do
  expect "the program gets to $moment" await check "$moment" 400 || break
  host_kill $server 9
  sleep 1
  expect 'a killed server comes back' host_server $size || break
done
expect "$memory MiB in a guest of $MEMORY: every page is right" every_page_right check 800
figures check
expect 'no request failed' no_errors

# Not with leap-nbd run: one more JVM would be larger than what such a small guest has left.
guest_start held "cd /sys/fs/cgroup && echo +memory >cgroup.subtree_control; mkdir held && echo 6M >held/memory.max &&
  echo 0 >held/cgroup.procs && exec $check_program --seed 3 16 pause seq"
expect 'a program has pages out' await held pause 60
expect 'detach' detach
guest_kill held 18
expect 'its pages came home' every_page_right held 60
expect 'nothing swaps' swap_not_in_use nbd0
expect 'the device is free' device_is_gone nbd0
expect 'the settings are as before' settings_are "$before"
done_with
