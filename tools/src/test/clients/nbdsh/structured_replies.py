# structured replies are negotiated, and not forced on a client without them
assert h.get_structured_replies_negotiated()
assert h.get_protocol() == "newstyle-fixed"
simple = nbd.NBD()
simple.set_request_structured_replies(False)
simple.connect_uri(uri)
assert not simple.get_structured_replies_negotiated()
h.pwrite(b"structured" * 100, 70000)
assert simple.pread(1000, 70000) == b"structured" * 100
assert h.pread(1000, 70000) == b"structured" * 100
chunks = []
h.pread_structured(65536, 65536, lambda data, offset, status, error: chunks.append((offset, len(data), status)))
covered = sorted((offset, length) for offset, length, status in chunks)
assert sum(length for _, length in covered) == 65536, covered
