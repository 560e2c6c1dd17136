# the handshake answers list, info, abort, an unknown export and an unknown context as the protocol says
o = nbd.NBD()
o.set_opt_mode(True)
o.connect_uri(uri)
names = []
o.opt_list(lambda name, description: names.append(name))
assert names == ["leap"], names
o.opt_info()
assert o.get_size() == h.get_size()
o.set_export_name("nobody")
try:
    o.opt_info()
    raise AssertionError("an unknown export has no info")
except nbd.Error as refused:
    assert refused.errnum == errno.ENOENT, refused
o.set_export_name("leap")
contexts = []
o.opt_list_meta_context(lambda name: contexts.append(name))
assert contexts == ["base:allocation"], contexts
o.opt_go()
assert o.pread(16, 0) == h.pread(16, 0)
o = nbd.NBD()
o.set_opt_mode(True)
o.connect_uri(uri)
o.opt_abort()
o = nbd.NBD()
o.add_meta_context("x-nobody:knows")
o.connect_uri(uri)
assert not o.can_meta_context("x-nobody:knows")
