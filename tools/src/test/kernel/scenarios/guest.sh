# The real arrangement: the server inside the machine that swaps, over a Unix socket, the donors outside over TCP. The
# argument says what is short of memory:
#
#   limited  one program, in a cgroup (leap-nbd run); the server is killed three times as well
#   whole    everything: no cgroup between the program and the rest of the machine. Not killed here: what a dead server
#            leaves free, the program takes, and then nothing can be started, a server neither.
. "$here/leap.sh"
arrangement=$1

memory=$(twice_memory)
size=$((memory * 5 / 4))M
start_donors $((memory * 3 / 4))M
before=$(guest_settings)
expect 'a server starts in the guest' guest_server $size || give_up 'no server'
expect 'attach' attach --timeout 6s '/run/leap.sock' || give_up 'not attached'
expect 'it swaps' swap_in_use nbd0
expect 'the server has every protection it wants' silent_about $server 'not protected'
expect 'attach has every protection it wants' silent_about attach 'not protected|cannot set'
resident serve
resident attach

case $arrangement in
  limited) # so little that a second server would have room: the one that is started again, before the page cache shrinks
    guest_start check "export $in_guest
      exec $guest_program run --memory 32M -- $check_program $memory rewrite/8 seq/2 stride/16 random/16"
    for moment in 'fill 2/4' 'rewrite 2/4' 'seq 1/4'; do
      expect "the program gets to $moment" await check "$moment" 400 || break
      guest_kill $server 9
      sleep 1
      expect 'a killed server comes back' guest_server $size || break
    done
    ;;
  whole) guest_start check "exec $check_program $memory rewrite/8 seq/2 stride/16 random/16" ;;
esac
expect "$memory MiB in a guest of $MEMORY: every page is right" every_page_right check 800
figures check
resident serve
expect 'no request failed' no_errors
[ "$arrangement" = limited ] || expect 'no request ran out of time' no_timeouts
expect 'detach' detach
expect 'nothing swaps' swap_not_in_use nbd0
expect 'the device is free' device_is_gone nbd0
expect 'the settings are as before' settings_are "$before"
done_with
