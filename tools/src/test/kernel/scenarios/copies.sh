# Three donors, two copies of each page. One donor is killed while the program fills its memory, another while it writes it anew, the third
# while it reads; each comes back blank and is filled again before the next. The server is killed once in between, and one donor is drained.
. "$here/leap.sh"
in_guest+=" LEAP_NBD_JAVA_OPTS=$quick"

memory=$(twice_memory)
size=$((memory * 5 / 4))M
start_donors $size 3
expect 'a server keeps two copies of each page' host_server $size --replicas 2 || give_up 'no server'
expect 'attach' attach --timeout 6s "nbd://$HOST_IP:10809" || give_up 'not attached'
expect 'it swaps' swap_in_use nbd0

# A donor dies, and comes back when its pages may have been missed for a while.
donor_dies() { # NUMBER MOMENT
  expect "the program gets to $2" await check "$2" 400 || return
  host_kill "donor$1" 9
  sleep 2
  start_donor "$1" $size
  expect "donor $1 was killed, and is back" await "donor$1" ^ready 400 || return
  expect 'each page has two copies again' each_page_has_its_copies 3 400
}
holds_nothing() { # NUMBER SECONDS
  local until=$(($(now) + $2 * 1000000))
  until [ "$(counted "948$1" 'leap_lender_slabs{state="lent"}')" = 0 ]; do
    [ "$(now)" -lt "$until" ] || return
    sleep 0.2
  done
}

guest_start check "exec $check_program $memory rewrite/4 seq/4 stride/16 random/16"
donor_dies 1 'fill 2/4' && donor_dies 2 'rewrite 1/4' &&
  expect 'the program gets to rewrite 3/4' await check 'rewrite 3/4' 400 && {
  host_kill $server 9
  sleep 1
  expect 'a killed server comes back' host_server $size --replicas 2
} && donor_dies 3 'seq 1/4' && {
  expect 'a donor is drained' "$program" drain "$HOST_IP:9401" --http 127.0.0.1:9480
  expect 'it is empty' holds_nothing 1 400
  expect 'its draining is undone' "$program" drain --undo "$HOST_IP:9401" --http 127.0.0.1:9480
}
expect "$memory MiB in a guest of $MEMORY: every page is right" every_page_right check 800
figures check
expect 'no request failed' no_errors
"$program" status --http 127.0.0.1:9480 | grep -E 'lost|copies' | sed 's/^/          /'
expect 'detach' detach
expect 'nothing swaps' swap_not_in_use nbd0
done_with
