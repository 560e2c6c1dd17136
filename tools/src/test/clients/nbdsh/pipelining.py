# hundreds of requests in flight at a time each get their own answer
import random
rng = random.Random(3)
start, count = 8 << 20, 512
pages = [rng.randbytes(4096) for _ in range(count)]

def finish(cookies):
    while h.aio_in_flight() > 0:
        assert h.poll(30000) == 1, "no answer in 30 s"
    for cookie in cookies:
        assert h.aio_command_completed(cookie)

order = list(range(count))
rng.shuffle(order)
finish([h.aio_pwrite(nbd.Buffer.from_bytearray(bytearray(pages[page])), start + page * 4096) for page in order])
rng.shuffle(order)
buffers = {page: nbd.Buffer(4096) for page in order}
finish([h.aio_pread(buffers[page], start + page * 4096) for page in order])
for page in order:
    assert buffers[page].to_bytearray() == pages[page], page
