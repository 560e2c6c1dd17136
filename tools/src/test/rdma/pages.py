# For nbdsh: pages of the export that name themselves.
import json, struct, time, urllib.request

PORT = 9480  # of the server's endpoint
PAGE = 4096
PAGES = h.get_size() // PAGE


def page(number, generation):
    return struct.pack("<QQ", number, generation) * (PAGE // 16)


def fill(generation):
    chunk = 32
    for at in range(0, PAGES, chunk):
        h.pwrite(b"".join(page(n, generation) for n in range(at, at + chunk)), at * PAGE)


def refill(generation):
    # While a donor comes back writes may fail; they must not for long.
    until = time.time() + 60
    while True:
        try:
            return fill(generation)
        except nbd.Error as error:
            if time.time() > until:
                raise
            time.sleep(1)


def verify(generation, at_once=1, connections=1):
    handles = [h]
    while len(handles) < connections:
        handles.append(nbd.NBD())
        handles[-1].connect_uri(h.get_uri())
    for n in range(0, PAGES, at_once):
        try:
            data = bytes(handles[n % connections].pread(at_once * PAGE, n * PAGE))
        except nbd.Error as error:
            raise SystemExit("page %d cannot be read: %s" % (n, error))
        if data != b"".join(page(i, generation) for i in range(n, n + at_once)):
            raise SystemExit("one of %d pages from %d on is wrong" % (at_once, n))


def one_of_each_slab(seconds):
    # All at once; what was read by then is True if it is right, False if it is not, None if it was an error.
    count = h.get_size() >> 20
    buffers = [nbd.Buffer(PAGE) for _ in range(count)]
    cookies = [h.aio_pread(buffers[i], i << 20) for i in range(count)]
    done = {}
    until = time.time() + seconds
    while time.time() < until and len(done) < count:
        h.poll(200)
        for i in range(count):
            try:
                if i not in done and h.aio_command_completed(cookies[i]):
                    done[i] = bytes(buffers[i].to_bytearray())
            except nbd.Error:
                done[i] = None
    return count, done


def right(read, slab, generation):
    return read == page((slab << 20) // PAGE, generation)


def without_a_donor(generation):
    count, done = one_of_each_slab(60)
    errors = [i for i in done if done[i] is None]
    print("%d of %d slabs are errors" % (len(errors), count))
    if len(done) < count or not 0 < len(errors) < count:
        raise SystemExit("%d of %d reads ended" % (len(done), count))
    for i in done:
        if i not in errors and not right(done[i], i, generation):
            raise SystemExit("the first page of slab %d is wrong" % i)


def status():
    return json.load(urllib.request.urlopen("http://127.0.0.1:%d/status" % PORT))


def placed():
    donors = status()["donors"]
    print([(d["name"], d["slabs"] if "slabs" in d else d, d["device_reads"], d["asked_reads"], d["disturbed_reads"]) for d in donors])
    rdma = [d for d in donors if str(d["name"]).startswith("rdma")][0]
    if rdma["device_reads"] < 100 or rdma["asked_reads"] > rdma["device_reads"] / 4:
        raise SystemExit("the device did not read")


def framed():
    shown = status()
    print(shown["hedges"], [(d["name"], d["device_reads"], d["asked_reads"], d["disturbed_reads"]) for d in shown["donors"]])
    # The other donor may be faster here, and have most of the reads.
    if [d for d in shown["donors"] if str(d["name"]).startswith("rdma")][0]["device_reads"] < 10:
        raise SystemExit("the device did not read")


def prefetched():
    prefetch = status()["prefetch"]
    print(prefetch)
    if prefetch["hits"] < 100:
        raise SystemExit("hardly anything was there before it was asked for")


def stopped():
    count, done = one_of_each_slab(6)
    print("%d of %d slabs were read while both donors were stopped" % (len(done), count))
    if not all(right(done[i], i, 1) for i in done) or not 0 < len(done) < count:
        raise SystemExit("wrong")
