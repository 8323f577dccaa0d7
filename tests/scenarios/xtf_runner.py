# SPDX-License-Identifier: MIT
"""
Runs tests laid out as Xen Test Framework lays out its own, by the same contract as its runner:

    python3 xtf_runner.py DIR TEST|CATEGORY...

info.json must be what it should be; the domain is made paused, its console is read from then on,
it is let go, and when the console ends, the last line is the result, or else that is CRASH. The
exit code is that of the worst result.
"""
import json
import os
import subprocess
import sys
import time

EXIT_CODES = {"SUCCESS": 0, "SKIP": 3, "ERROR": 4, "FAILURE": 5, "CRASH": 6}
CATEGORIES = {"functional", "xsa", "special", "utility", "in-development"}


def read_info(name):
    """The category of a test, whose info.json must say all that it has to, and nothing false."""
    with open(f"tests/{name}/info.json", encoding="utf-8") as file:
        info = json.load(file)
    if info["name"] != name:
        raise ValueError(f"{name}: info.json is of {info['name']}")
    if info["category"] not in CATEGORIES:
        raise ValueError(f"{name}: no category: {info['category']}")
    if info["environments"] != ["pv64"] or info["variations"] != []:
        raise ValueError(f"{name}: expected pv64 and no variations")
    return info["category"]


def wait_for_reader(console):
    """
    A guest under emulation may be gone before xl console has begun, which is then no fault of the
    guest's: wait until that has the console open.
    """
    files = f"/proc/{console.pid}/fd"
    for _ in range(100):
        for fd in os.listdir(files):
            try:
                if os.readlink(f"{files}/{fd}").startswith("/dev/pts/"):
                    return
            except FileNotFoundError:
                pass  # closed in between
        time.sleep(0.1)
    raise RuntimeError("xl console has not begun in 10 s")


def result_of(name):
    """Runs a test, and shows its console."""
    domain = f"test-pv64-{name}"
    subprocess.run(["xl", "create", "-p", f"tests/{name}/{domain}.cfg"], check=True,
                   stdout=subprocess.DEVNULL)
    console = subprocess.Popen(["xl", "console", domain], stdout=subprocess.PIPE, text=True)
    wait_for_reader(console)
    subprocess.run(["xl", "unpause", domain], check=True)
    lines = console.communicate()[0].splitlines()
    if console.returncode:
        raise RuntimeError(f"{name}: xl console failed")
    print(*lines, sep="\n")
    last = lines[-1] if lines else ""
    if "Test result:" in last:
        for result in EXIT_CODES:
            if result in last:
                return result
    return "CRASH"


def main(directory, *selection):
    os.chdir(directory)
    tests = {name: read_info(name) for name in sorted(os.listdir("tests"))}
    chosen = [name for name, category in tests.items() if {name, category} & set(selection)]
    results = {name: result_of(name) for name in chosen}
    print("Combined test results:")
    for name, result in results.items():
        print(f"test-pv64-{name:<30} {result}")
    return max([EXIT_CODES[result] for result in results.values()])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
