# a client that does not read its replies is slowed down and gets every byte in the end
import time
h.pwrite(b"s" * (4 << 20), 16 << 20)
other = nbd.NBD()
other.connect_uri(uri)
buffers = [nbd.Buffer(1 << 20) for _ in range(64)]
cookies = [other.aio_pread(buffer, (16 << 20) + (index % 4 << 20)) for index, buffer in enumerate(buffers)]
for turn in range(100):
    assert h.pread(4096, 16 << 20) == b"s" * 4096
while other.aio_in_flight() > 0:
    assert other.poll(30000) == 1, "no answer in 30 s"
assert all(other.aio_command_completed(cookie) for cookie in cookies)
assert all(buffer.to_bytearray() == b"s" * (1 << 20) for buffer in buffers)
