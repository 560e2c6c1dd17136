# a range beyond the end is EINVAL for reads and trims, ENOSPC for writes and zeroes, and the connection goes on
size = h.get_size()
h.set_strict_mode(0)

def error(call, *arguments):
    try:
        call(*arguments)
    except nbd.Error as refused:
        return refused.errnum
    return 0

block = b"b" * 4096
cases = [
    (h.pread, (4096, size), errno.EINVAL),
    (h.pread, (4096, size - 1), errno.EINVAL),
    (h.pread, (4096, (1 << 63) - 4096), errno.EINVAL),
    (h.trim, (4096, size), errno.EINVAL),
    (h.pwrite, (block, size), errno.ENOSPC),
    (h.pwrite, (block, size - 4095), errno.ENOSPC),
    (h.zero, (4096, size), errno.ENOSPC),
]
h.pwrite(block, size - 4096)
for call, arguments, expected in cases:
    got = error(call, *arguments)
    assert got == expected, (call.__name__, arguments[-1], errno.errorcode.get(got, got), errno.errorcode[expected])
    assert h.pread(4096, size - 4096) == block
assert error(h.pread, 1, 0, 1 << 9) == errno.EINVAL, "an unknown flag is EINVAL"
assert h.pread(4096, size - 4096) == block
