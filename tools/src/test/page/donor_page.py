"""What a browser shows of a donor: what it lends, to whom, and what it wants back."""

from processes import await_that
from serve_page import EXPORT, require


def values_are_those_of_status(it):
    donor = it.donors[0]
    it.browser.console()
    it.browser.open(donor.uri("http") + "/")
    it.live()
    status = donor.status()
    mib = status["slabs_lent"]
    require(it.browser.text("t-total") == "64 MiB", it.browser.text("t-total"))
    require(it.browser.text("t-lent") == f"{mib} MiB", (it.browser.text("t-lent"), mib))
    require(it.browser.text("t-links") == str(status["links"]), it.browser.text("t-links"))
    exports = it.rows("exports")
    require(len(exports) == 1 and exports[0][0] == EXPORT and exports[0][3] == f"{mib} MiB", exports)
    require(exports[0][2] == status["exports"][0]["owner"], exports)
    owners = it.rows("owners")
    require(owners[0][0] == status["owners"][0]["name"] and owners[0][2] == f"{mib} MiB", owners)
    require(it.browser.script("return document.querySelector('main img')") is None, "the export's name was taken for markup")
    require(it.browser.text("t-wanted") == "nothing", it.browser.text("t-wanted"))
    it.picture("donor")
    require(it.browser.console() == [], "something was complained of")


def its_end_is_said(it):
    it.donors[0].child.terminate()  # Its drain timeout is 0 s, so it is gone at once.
    await_that(lambda: it.browser.shown("alert"), "nothing is said")
    require(it.browser.text("alert").startswith("The donor does not answer since "), it.browser.text("alert"))


def add(suite):
    suite.test("the page of a donor shows what /status says", values_are_those_of_status)
    suite.test("the page of a donor says that it has ended", its_end_is_said)
