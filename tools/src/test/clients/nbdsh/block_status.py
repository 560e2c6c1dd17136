# block status tells what was written from what was not, page by page
def extents(length, offset, flags=0):
    found = []
    h.block_status(length, offset, lambda context, start, entries, error: found.extend(entries), flags)
    return list(zip(found[::2], found[1::2]))

HOLE = nbd.STATE_HOLE | nbd.STATE_ZERO
start = 6 << 20
assert h.can_meta_context("base:allocation")
h.trim(1 << 20, start)
h.pwrite(b"x" * 8192, start + 16384)
h.pwrite(b"x", start + 65536 + 100)
at, seen = 0, []
while at < 1 << 20:
    for length, flags in extents((1 << 20) - at, start + at):
        length = min(length, (1 << 20) - at)
        if seen and seen[-1][1] == flags:
            seen[-1][0] += length
        else:
            seen.append([length, flags])
        at += length
want = [[16384, HOLE], [8192, 0], [40960, HOLE], [4096, 0], [(1 << 20) - 69632, HOLE]]
assert seen == want, seen
one = extents(1 << 20, start, nbd.CMD_FLAG_REQ_ONE)
assert len(one) == 1 and one[0][0] <= 1 << 20, one
