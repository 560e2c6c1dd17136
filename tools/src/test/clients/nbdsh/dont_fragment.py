# a read with the DF flag is answered in one piece
assert h.can_df()
data = bytes(range(256)) * 256
h.pwrite(data, 3 << 20)
h.trim(8192, (3 << 20) + 16384)
chunks = []
read = h.pread_structured(
    65536, 3 << 20, lambda piece, offset, status, error: chunks.append((offset, len(piece), status)), nbd.CMD_FLAG_DF
)
assert read == data[:16384] + bytes(8192) + data[24576:]
assert len(chunks) == 1, chunks
