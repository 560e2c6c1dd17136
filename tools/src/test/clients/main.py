"""The clients suite: real NBD clients, then faults under load. Ends with the line 'N passed, N failed'."""

import sys

import bad_flags
import configuration
import copies
import donor_faults
import drains
import encryption
import https
import links
import ownership
import own_memory
import real_clients
import registry
import rounds
import seals
import secret_files
import server_faults
import set_donors
import spill
import tls
import tls_psk
import two_machines
from beside import Beside
from processes import Processes, Server, two_donors
from runner import Suite, stop_on_signals

ROUNDS = 100  # of faults, where nobody says how many
SEEDS = 1  # of each other test with faults by seed
ROUNDS_AND_MORE = "--rounds-and-more"  # one of the processes that a whole run has beside the first


def number(words, option, otherwise):
    """The number after an option, and the words without both."""
    if option not in words:
        return otherwise, words
    at = words.index(option)
    return int(words[at + 1]), words[:at] + words[at + 2 :]


def most(suite, processes, seeds, first):
    size = real_clients.SIZE

    def embedded():
        return real_clients.Served(processes, Server(processes, size).ready())

    def remote():
        donors = two_donors(processes)
        return real_clients.Served(processes, Server(processes, size, donors).ready())

    real_clients.add(suite, "embedded donor")
    suite.run(embedded)
    real_clients.add(suite, "two donors over TCP")
    suite.run(remote)
    server_faults.run(suite, processes)
    donor_faults.run(suite, processes)
    copies.run(suite, processes)
    drains.run(suite, processes, first, seeds)
    seals.run(suite, processes, first, seeds)
    tls.run(suite, processes)
    tls_psk.run(suite, processes)
    secret_files.run(suite, processes)
    two_machines.run(suite, processes)
    https.run(suite, processes)
    links.run(suite, processes)
    bad_flags.run(suite, processes)
    configuration.run(suite, processes)
    own_memory.run(suite, processes)


def rounds_and_more(suite, processes, seeds, first, count):
    rounds.run(suite, processes, first, count)
    set_donors.run(suite, processes, first, seeds)
    spill.run(suite, processes, first, seeds)
    encryption.run(suite, processes, first, seeds)
    registry.run(suite, processes)


def main(words):
    histories, words = number(words, "--histories", 30)
    count, words = number(words, "--rounds", None)
    first, words = number(words, "--from", 1)
    rest = ROUNDS_AND_MORE in words
    words = [word for word in words if word != ROUNDS_AND_MORE]
    if count and not words:
        words = [rounds.NAME]
    processes = Processes()
    # All of the suite: what waits more than it works runs in processes of its own.
    beside = []
    if not words and not rest:
        beside = [
            Beside(__file__, ownership.HISTORIES, "--histories", histories, "--from", first),
            Beside(__file__, ROUNDS_AND_MORE, "--from", first),
        ]

    def close():
        for other in beside:
            other.close()
        processes.close()

    stop_on_signals(close)
    suite = Suite(words, processes)
    seeds = count or SEEDS
    try:
        if not rest:
            most(suite, processes, seeds, first)
        if words:
            ownership.run(suite, processes, first, histories)
        if not beside:
            rounds_and_more(suite, processes, seeds, first, count or ROUNDS)
        for other in beside:
            other.finish(suite)
    finally:
        close()
    print(f"{suite.passed} passed, {suite.failed} failed", flush=True)
    return 0 if suite.passed and not suite.failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
