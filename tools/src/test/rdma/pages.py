# For nbdsh: pages of the export that name themselves.
import json, struct, time, urllib.request

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


def verify(generation, errors=False):
    refused = 0
    for n in range(PAGES):
        try:
            if bytes(h.pread(PAGE, n * PAGE)) != page(n, generation):
                raise SystemExit("page %d is wrong" % n)
        except nbd.Error as error:
            if not errors:
                raise SystemExit("page %d cannot be read: %s" % (n, error))
            refused += 1
            if refused >= 3:
                print("pages of the killed donor are errors")
                return


def status():
    return json.load(urllib.request.urlopen("http://127.0.0.1:9480/status"))


def placed():
    donors = status()["donors"]
    print([(d["name"], d["slabs"] if "slabs" in d else d, d["device_reads"], d["asked_reads"], d["disturbed_reads"]) for d in donors])
    rdma = [d for d in donors if str(d["name"]).startswith("rdma")][0]
    if rdma["device_reads"] < 100 or rdma["asked_reads"] > rdma["device_reads"] / 4:
        raise SystemExit("the device did not read")


def stopped():
    # One page of each slab, all at once.
    count = h.get_size() >> 20
    buffers = [nbd.Buffer(PAGE) for _ in range(count)]
    cookies = [h.aio_pread(buffers[i], i << 20) for i in range(count)]
    done = {}
    until = time.time() + 6
    while time.time() < until and len(done) < count:
        h.poll(200)
        for i in range(count):
            if i not in done and h.aio_command_completed(cookies[i]):
                done[i] = bytes(buffers[i].to_bytearray()) == page((i << 20) // PAGE, 1)
    print("%d of %d slabs were read while both donors were stopped" % (len(done), count))
    if not all(done.values()) or not 0 < len(done) < count:
        raise SystemExit("wrong")
