# SPDX-License-Identifier: MIT
"""What gdb needs to know of Xenolith: pretty printers of its types, and the command xenolith-p2m.

scripts/gdb loads this file; in a gdb started by hand: source scripts/gdb.d/xenolith.py
"""

import gdb

INVALID_ENTRY = (1 << 64) - 1


def number(value):
    """value as an unsigned 64-bit number."""
    return int(value) & INVALID_ENTRY


def kind_name(kind):
    """enum range_kind: RANGE_RAM is "ram"."""
    return str(kind).replace("RANGE_", "").lower()


def range_text(r):
    """struct range: "[0x0, 0x9f) ram"."""
    return f"[{number(r['start']):#x}, {number(r['end']):#x}) {kind_name(r['kind'])}"


def frame_number_text(frame):
    """pfn_t or mfn_t: "PFN 0x9e"."""
    name = "MFN" if str(frame.type.unqualified()) == "mfn_t" else "PFN"
    v = number(frame["v"])
    return f"{name} none" if v == INVALID_ENTRY else f"{name} {v:#x}"


class Text:
    """A value that is printed as this text."""

    def __init__(self, text):
        self.text = text

    def to_string(self):
        return self.text


class Ranges:
    """struct ranges: the ranges in use, and the kind of every PFN past the last of them."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        return f"{int(self.value['nr'])} ranges, beyond: {kind_name(self.value['beyond'])}"

    def children(self):
        for i in range(int(self.value["nr"])):
            yield f"[{i}]", self.value["r"][i]

    def display_hint(self):
        return "array"


def xenolith_printer(value):
    """The pretty printer of a value, or None. pfn_t and mfn_t are typedefs of structs without a name."""
    if str(value.type.unqualified()) in ("pfn_t", "mfn_t"):
        return Text(frame_number_text(value))
    struct = value.type.strip_typedefs().tag
    if struct == "range":
        return Text(range_text(value))
    return Ranges(value) if struct == "ranges" else None


class P2M(gdb.Command):
    """Show the P2M entries of PFNs: xenolith-p2m PFN [COUNT]

Reads the P2M list and the ranges of the variable domain. For each PFN the line says which MFN
the P2M list holds, and of which range the PFN is. COUNT is 1 if it is left out."""

    def __init__(self):
        super().__init__("xenolith-p2m", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) not in (1, 2):
            raise gdb.GdbError("usage: xenolith-p2m PFN [COUNT]")
        first, count = [number(gdb.parse_and_eval(w)) for w in (words + ["1"])[:2]]
        p2m = gdb.parse_and_eval("domain.p2m")
        if number(p2m["list"]) == 0:
            raise gdb.GdbError("domain.p2m is empty: the kernel has not read start_info yet")
        for pfn in range(first, first + count):
            print(self.line(p2m, pfn))

    def line(self, p2m, pfn):
        """What the P2M says of a PFN."""
        text = f"PFN {pfn:#x}: "
        if pfn >= number(p2m["nr"]):
            text += f"past the P2M list, which has {number(p2m['nr']):#x} entries"
        else:
            entry = number(p2m["list"][pfn])
            text += "no frame" if entry == INVALID_ENTRY else f"MFN {entry:#x}"
        return f"{text}; {self.range_of(p2m['ranges'], pfn)}"

    def range_of(self, ranges, pfn):
        """The range that a PFN lies in."""
        for i in range(int(ranges["nr"])):
            if number(ranges["r"][i]["start"]) <= pfn < number(ranges["r"][i]["end"]):
                return range_text(ranges["r"][i])
        return f"past all ranges: {kind_name(ranges['beyond'])}"


gdb.pretty_printers.append(xenolith_printer)
P2M()
