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
HISTORIES = 30  # of two hosts, where nobody says how many
STEPS = 5  # of each history

# The processes that a whole run has beside the first.
ROUNDS_AND_MORE = "--rounds-and-more"
HISTORIES_AND_MORE = "--histories-and-more"


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
    https.run(suite, processes)
    bad_flags.run(suite, processes)
    configuration.run(suite, processes)
    own_memory.run(suite, processes)


def rounds_and_more(suite, processes, seeds, first, count):
    rounds.run(suite, processes, first, count)
    set_donors.run(suite, processes, first, seeds)
    spill.run(suite, processes, first, seeds)
    encryption.run(suite, processes, first, seeds)


def histories_and_more(suite, processes, first, histories, steps):
    ownership.run(suite, processes, first, histories, steps)
    registry.run(suite, processes)
    two_machines.run(suite, processes)
    links.run(suite, processes)


def main(words):
    histories, words = number(words, "--histories", HISTORIES)
    steps, words = number(words, "--steps", STEPS)
    count, words = number(words, "--rounds", None)
    first, words = number(words, "--from", 1)
    part = next((word for word in (ROUNDS_AND_MORE, HISTORIES_AND_MORE) if word in words), None)
    words = [word for word in words if word != part]
    if count and not words:
        words = [rounds.NAME]
    processes = Processes()
    # All of the suite: what waits more than it works runs in processes of its own.
    beside = []
    whole = not words and not part
    if whole:
        beside = [
            Beside(__file__, HISTORIES_AND_MORE, "--histories", histories, "--steps", steps, "--from", first),
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
        if not part:
            most(suite, processes, seeds, first)
        if not whole and part != ROUNDS_AND_MORE:
            histories_and_more(suite, processes, first, histories, steps)
        if not whole and part != HISTORIES_AND_MORE:
            rounds_and_more(suite, processes, seeds, first, count or ROUNDS)
        for other in beside:
            other.finish(suite)
    finally:
        close()
    print(f"{suite.passed} passed, {suite.failed} failed", flush=True)
    return 0 if suite.passed and not suite.failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
