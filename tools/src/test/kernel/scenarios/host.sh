# The server beside the donors, on the other side of the network: the kernel's client attached with nbd-client, then
# with leap-nbd attach, and then the server is killed, three times.
. "$here/leap.sh"

memory=$(twice_memory)
start_donors 384M
expect 'a server starts beside them' host_server 704M || give_up 'no server'

note '-- nbd-client'
expect 'nbd-client attaches' guest "nbd-client $HOST_IP 10809 /dev/nbd0 -N leap -b 4096 -timeout 30" &&
  expect 'mkswap and swapon take the device' guest 'mkswap /dev/nbd0 && swapon -d /dev/nbd0' || give_up 'no swap'
guest_start check "exec $check_program $memory seq stride random"
expect "$memory MiB in a guest of $MEMORY: every page is right" every_page_right check 400
figures check
expect 'swapoff' guest 'swapoff /dev/nbd0'
expect 'nbd-client lets go' guest 'nbd-client -d /dev/nbd0'

note '-- leap-nbd attach, and kill -9 of the server'
before=$(guest_settings)
expect 'attach' attach --timeout 6s "nbd://$HOST_IP:10809/leap" || give_up 'not attached'
expect 'it swaps' swap_in_use nbd0
guest_start check "exec $check_program --seed 2 $memory rewrite seq"
for moment in 'fill 2/4' 'rewrite 2/4' 'seq 1/4'; do
  expect "the program gets to $moment" await check "$moment" 200 || break
  host_kill $server 9
  sleep 1
  expect 'a killed server comes back' host_server 704M || break
done
expect 'every page is right' every_page_right check 400
figures check
resident attach

note '-- leap-nbd detach, with pages to bring home'
guest_start held "export $in_guest; exec $guest_program run --memory 32M -- $check_program --seed 3 80 pause seq"
expect 'a program has pages out' await held 'pause' 60
expect 'detach' detach
guest_kill held 18
expect 'its pages came home' every_page_right held 60
expect 'nothing swaps' swap_not_in_use nbd0
expect 'the device is free' device_is_gone nbd0
expect 'the settings are as before' settings_are "$before"
done_with
