"""The page suite. Ends with the line 'N passed, N failed'."""

import sys

import donor_page
import monitoring
import serve_page
import top
from processes import Processes
from runner import Suite, stop_on_signals


def main(words):
    processes = Processes()
    stop_on_signals(processes.close)
    suite = Suite(words, processes)
    try:
        serve_page.add(suite)
        donor_page.add(suite)
        monitoring.add(suite)
        top.add(suite)
        shared = []

        def start():
            shared.append(serve_page.Looked(processes))
            return shared[0]

        try:
            suite.run(start)
        finally:
            for looked in shared:
                looked.close()
    finally:
        processes.close()
    print(f"{suite.passed} passed, {suite.failed} failed")
    return 1 if suite.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
