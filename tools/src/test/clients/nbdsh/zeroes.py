# write zeroes reads as zeros with and without NO_HOLE, and FAST_ZERO is answered
for flag in (0, nbd.CMD_FLAG_NO_HOLE):
    h.pwrite(b"\xcc" * 65536, 5 << 20)
    h.zero(12288 + 7, (5 << 20) + 4096 - 3, flag)
    after = h.pread(65536, 5 << 20)
    assert after == b"\xcc" * 4093 + bytes(12295) + b"\xcc" * (65536 - 4093 - 12295), flag
assert h.can_zero()
if h.can_fast_zero():
    h.pwrite(b"\xcc" * 65536, 5 << 20)
    try:
        h.zero(65536, 5 << 20, nbd.CMD_FLAG_FAST_ZERO)
        assert h.pread(65536, 5 << 20) == bytes(65536)
    except nbd.Error as refused:
        assert refused.errnum == errno.ENOTSUP, refused
        assert h.pread(65536, 5 << 20) == b"\xcc" * 65536
