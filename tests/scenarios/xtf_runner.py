# SPDX-License-Identifier: MIT
"""
Runs tests in a directory tree of the Xen Test Framework (XTF) as XTF's own runner does:

    python3 xtf_runner.py DIR TEST|CATEGORY...

Each info.json must have the fields and values that XTF expects. For each test, the domain is
created paused, its console is opened, and then the domain is unpaused. The last line of the console
is the result; if it is none, the result is CRASH. The exit code is that of the worst result.
"""
import json
import os
import subprocess
import sys
import time

EXIT_CODES = {"SUCCESS": 0, "SKIP": 3, "ERROR": 4, "FAILURE": 5, "CRASH": 6}
CATEGORIES = {"functional", "xsa", "special", "utility", "in-development"}


def read_info(name):
    """Returns the category of a test; raises ValueError if its info.json is not as expected."""
    with open(f"tests/{name}/info.json", encoding="utf-8") as file:
        info = json.load(file)
    if info["name"] != name:
        raise ValueError(f"{name}: name in info.json is {info['name']}, expected {name}")
    if info["category"] not in CATEGORIES:
        raise ValueError(f"{name}: category is {info['category']}, expected one of {sorted(CATEGORIES)}")
    if info["environments"] != ["pv64"] or info["variations"] != []:
        raise ValueError(f"{name}: environments or variations differ from the expected ['pv64'] and []")
    return info["category"]


def wait_for_reader(console):
    """
    Waits until xl console has opened the console. Under emulation the guest may otherwise end before
    xl console starts, and its result would be lost.
    """
    files = f"/proc/{console.pid}/fd"
    for _ in range(100):
        for fd in os.listdir(files):
            try:
                if os.readlink(f"{files}/{fd}").startswith("/dev/pts/"):
                    return
            except FileNotFoundError:
                pass  # the process closed this file after listdir
        time.sleep(0.1)
    raise RuntimeError("xl console has not opened a console within 10 s")


def result_of(name):
    """Runs a test, prints its console, and returns its result."""
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
