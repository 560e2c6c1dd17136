# FUA, flush and cache are accepted, and several connections see one another's writes
assert h.can_fua() and h.can_flush() and h.can_multi_conn() and h.can_cache() and h.can_trim() and not h.is_read_only()
h.pwrite(b"f" * 10000, 9 << 20, nbd.CMD_FLAG_FUA)
h.flush()
h.cache(65536, 9 << 20)
other = nbd.NBD()
other.connect_uri(uri)
for turn in range(50):
    data = bytes([turn]) * 5000
    h.pwrite(data, (9 << 20) + 1000)
    assert other.pread(5000, (9 << 20) + 1000) == data, turn
    data = bytes([turn + 100]) * 5000
    other.pwrite(data, (9 << 20) + 2500)
    assert h.pread(5000, (9 << 20) + 2500) == data, turn
