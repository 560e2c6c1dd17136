# requests of 32 MiB work, the advertised maximum
assert h.get_block_size(nbd.SIZE_MINIMUM) == 1
assert h.get_block_size(nbd.SIZE_PREFERRED) == 4096
assert h.get_block_size(nbd.SIZE_MAXIMUM) == 32 << 20
import random
data = random.Random(5).randbytes(32 << 20)
h.pwrite(data, 12345)
assert h.pread(32 << 20, 12345) == data
h.trim(32 << 20, 12345)
assert h.pread(32 << 20, 12345) == bytes(32 << 20)
