# ranges of any alignment and length read and write exactly their bytes
import random
rng = random.Random(7)
base, size = 1 << 20, 192 * 1024
model = bytearray(rng.randbytes(size))
h.pwrite(bytes(model), base)
for _ in range(150):
    offset = rng.randrange(size - 1)
    length = rng.choice([1, 2, 511, 513, 4095, 4096, 4097, rng.randrange(1, 20000)])
    length = min(length, size - offset)
    what = rng.randrange(4)
    if what == 0:
        data = rng.randbytes(length)
        h.pwrite(data, base + offset)
        model[offset : offset + length] = data
    elif what == 1:
        h.zero(length, base + offset)
        model[offset : offset + length] = bytes(length)
    elif what == 2:
        h.trim(length, base + offset)
        # What a trimmed range holds is the server's choice; this one's promise is zeros.
        model[offset : offset + length] = bytes(length)
    else:
        assert h.pread(length, base + offset) == model[offset : offset + length], (offset, length)
assert h.pread(size, base) == model
