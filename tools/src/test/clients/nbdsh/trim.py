# a trimmed range reads as zeros and its neighbours stay
h.pwrite(b"\xaa" * 65536, 4 << 20)
h.trim(8192 + 10, (4 << 20) + 4096 + 5)
after = h.pread(65536, 4 << 20)
assert after[:4101] == b"\xaa" * 4101
assert after[4101 : 4101 + 8202] == bytes(8202)
assert after[4101 + 8202 :] == b"\xaa" * (65536 - 4101 - 8202)
h.pwrite(b"\xbb" * 4096, (4 << 20) + 8192)
assert h.pread(4096, (4 << 20) + 8192) == b"\xbb" * 4096
